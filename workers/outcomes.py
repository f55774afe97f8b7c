"""What an outcome makes of a delivery: pure rules between a channel's answer and the ledger."""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

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

_WORD_OF: Mapping[type[Outcome], str] = {
    Accepted: "accepted",
    Deferred: "deferred",
    Refused: "refused",
    Unknown: "unknown",
    NotBegun: "not_begun",
}
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
    settled = _settled_of(alert, channel, claimed, outcome)
    if has_others and settled.reason in ACCOUNT_FAULTS and settled.due_in is not None:
        settled = replace(settled, due_in=_ELSEWHERE_WAIT)
    detail, provider_id = _storable(settled.detail), settled.provider_id
    provider_id = _storable(provider_id) if provider_id else None
    if detail == settled.detail and provider_id == settled.provider_id:
        return settled  # as nearly always
    return replace(settled, detail=detail, provider_id=provider_id)


def _storable(words: str) -> str:
    """Return a provider's words without what no database takes: NUL, and lone surrogates."""
    return words.replace("\0", "").encode(errors="replace").decode()[:_MOST_WORDS]


def _settled_of(alert: Alert, channel: AnyChannel, claimed: Claimed, outcome: Outcome) -> Settled:
    base = Settled(
        attempt=claimed.attempt,
        alert_id=alert.id,
        channel=channel.channel,
        outcome=_WORD_OF[type(outcome)],
        work=Work.PENDING,
        tries=claimed.tries,
    )
    match outcome:
        case Accepted(provider_id, receipt):
            return replace(
                base,
                work=Work.SETTLED,
                charged=True,
                provider_id=provider_id,
                receipt=RANK[receipt],
                ask_in=_first_poll(channel, receipt, provider_id),
            )
        case Deferred():
            return _deferred(base, channel, claimed, outcome)
        case Refused(reason, detail):
            return replace(base, work=Work.FAILED, charged=True, reason=reason, detail=detail)
        case Unknown(reason, detail, provider_id):
            first = ASK_AFTER[0].total_seconds()
            told = replace(base, reason=reason, detail=detail, provider_id=provider_id)
            return replace(told, work=Work.UNKNOWN, ask_in=first)
        case NotBegun(reason):
            ended = _WORK_OF_NOT_BEGUN.get(reason)
            return replace(base, work=ended, reason=reason) if ended else base
        case _:
            assert_never(outcome)


def _deferred(base: Settled, channel: AnyChannel, claimed: Claimed, outcome: Deferred) -> Settled:
    tries = claimed.tries + int(outcome.counted)
    # What is not charged still waits longer each time, by the number of attempts.
    waits = tries if outcome.counted else min(claimed.attempt.no, len(channel.retry.waits))
    wait = channel.retry.wait_before(waits, outcome.retry_after)
    due_in = None if wait is None else wait.total_seconds()
    if outcome.reason in ACCOUNT_FAULTS:
        due_in = _ACCOUNT_WAIT
    return replace(
        base,
        work=Work.FAILED if due_in is None else Work.RETRY_WAIT,
        charged=outcome.counted,
        reason=outcome.reason,
        detail=outcome.detail,
        due_in=due_in,
    )


def _first_poll(channel: AnyChannel, receipt: ReceiptKind, provider_id: str | None) -> float | None:
    final = RANK[receipt] >= RANK[ReceiptKind.FAILED]
    if final or provider_id is None or not can_fetch(channel):
        return None
    return POLL_AFTER[0].total_seconds()
