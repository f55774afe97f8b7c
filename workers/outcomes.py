"""What an outcome makes of a delivery: pure rules between a channel's answer and the ledger."""

from typing import Any, assert_never

from channels import AnyChannel
from kentongan.alert import Alert
from kentongan.channel import Channel
from kentongan.delivery import Work
from kentongan.outcome import (
    ACCOUNT_FAULTS,
    Accepted,
    Deferred,
    NotBegun,
    Outcome,
    Reason,
    Refused,
    Unknown,
)
from kentongan.receipt import RANK, ReceiptKind
from kentongan.settling import ASK_AFTER, POLL_AFTER
from ledger.claims import Claimed
from ledger.settle import Settled

#: Seconds before a delivery is tried again that a fault of our account held up; the probe decides.
_ACCOUNT_WAIT = 15.0
#: The same where another provider can take it.
_ELSEWHERE_WAIT = 1.0

#: Characters of a provider's words that are kept.
_MOST_WORDS = 1000

_WORK_OF_NOT_BEGUN = {
    Reason.SUPPRESSED: Work.SUPPRESSED,
    Reason.EXPIRED: Work.EXPIRED,
    Reason.STOPPED: Work.STOPPED,
}


def can_find(channel: AnyChannel) -> bool:
    """Tell whether somebody can be asked about this channel's unknown attempts."""
    return type(channel).find is not Channel.find


def can_fetch(channel: AnyChannel) -> bool:
    """Tell whether the provider can be asked for a message's latest receipt."""
    return type(channel).fetch is not Channel.fetch


def settled_of(
    alert: Alert,
    channel: AnyChannel,
    claimed: Claimed,
    outcome: Outcome,
    *,
    has_others: bool = False,
) -> Settled:
    """Return what to write down for an attempt; `has_others`: another provider may take it soon."""
    if isinstance(outcome, Accepted):  # nearly all: said in one go
        provider_id, receipt = outcome.provider_id, outcome.receipt
        return Settled(
            attempt=claimed.attempt,
            alert_id=alert.id,
            channel=channel.channel,
            outcome="accepted",
            work=Work.SETTLED,
            provider_id=_storable(provider_id) if provider_id else None,
            receipt=RANK[receipt],
            charged=True,
            tries=claimed.tries,
            ask_in=_first_poll(channel, receipt, provider_id),
        )
    word, work, more = _told(channel, claimed, outcome, has_others=has_others)
    return Settled(
        attempt=claimed.attempt,
        alert_id=alert.id,
        channel=channel.channel,
        outcome=word,
        work=work,
        tries=claimed.tries,
        **more,
    )


def _told(
    channel: AnyChannel,
    claimed: Claimed,
    outcome: Deferred | Refused | Unknown | NotBegun,
    *,
    has_others: bool,
) -> tuple[str, Work, dict[str, Any]]:
    """Return an outcome's word, what becomes of the delivery, and the rest of `Settled`."""
    match outcome:
        case Deferred(reason, detail):
            due_in = _due_in(channel, claimed, outcome, has_others=has_others)
            told: dict[str, Any] = {"charged": outcome.counted, "due_in": due_in}
            work = Work.FAILED if due_in is None else Work.RETRY_WAIT
            return "deferred", work, told | _why(reason, detail)
        case Refused(reason, detail):
            return "refused", Work.FAILED, {"charged": True, **_why(reason, detail)}
        case Unknown(reason, detail, provider_id):
            told = _why(reason, detail) | _id(provider_id)
            return "unknown", Work.UNKNOWN, told | {"ask_in": ASK_AFTER[0].total_seconds()}
        case NotBegun(reason):
            ended = _WORK_OF_NOT_BEGUN.get(reason)
            return "not_begun", ended or Work.PENDING, {"reason": reason if ended else None}
        case _:
            assert_never(outcome)


def _why(reason: Reason, detail: str) -> dict[str, Any]:
    return {"reason": reason, "detail": _storable(detail)}


def _id(provider_id: str | None) -> dict[str, Any]:
    return {"provider_id": _storable(provider_id) if provider_id else None}


def _storable(words: str) -> str:
    """Return a provider's words without what no database takes: NUL, and lone surrogates."""
    if words.isascii() and "\0" not in words:
        return words[:_MOST_WORDS]
    return words.replace("\0", "").encode(errors="replace").decode()[:_MOST_WORDS]


def _due_in(
    channel: AnyChannel, claimed: Claimed, outcome: Deferred, *, has_others: bool
) -> float | None:
    """Return seconds until a delivery is tried again, None if never."""
    if outcome.reason in ACCOUNT_FAULTS:
        return _ELSEWHERE_WAIT if has_others else _ACCOUNT_WAIT
    tries = claimed.tries + int(outcome.counted)
    # What is not charged still waits longer each time, by the number of attempts.
    waits = tries if outcome.counted else min(claimed.attempt.no, len(channel.retry.waits))
    wait = channel.retry.wait_before(waits, outcome.retry_after)
    return None if wait is None else wait.total_seconds()


def _first_poll(channel: AnyChannel, receipt: ReceiptKind, provider_id: str | None) -> float | None:
    final = RANK[receipt] >= RANK[ReceiptKind.FAILED]
    if final or provider_id is None or not can_fetch(channel):
        return None
    return POLL_AFTER[0].total_seconds()
