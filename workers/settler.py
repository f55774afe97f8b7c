"""Asking about attempts that nobody is sure about, and about receipts that did not come."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from channels import AnyChannel
from kentongan.alert import Alert
from kentongan.channel import Asked, Candidate, CannotAskError
from kentongan.clock import SECOND, to_datetime
from kentongan.outcome import Reason
from kentongan.receipt import RANK, ReceiptKind
from kentongan.settling import ASK_AFTER, MOST_DEATHS, POLL_AFTER, Resolution, decide
from ledger import decisions, events, unknowns
from ledger.decisions import Decided
from ledger.engine import read_now
from ledger.unknowns import Open
from templates.wording import wording_of
from workers.outcomes import can_find
from workers.runtime import Runtime

log = logging.getLogger(__name__)

#: Attempts taken up at once; each may cost a request to the provider.
PAGE = 50
#: Seconds that one question may take.
_PATIENCE = 12.0
#: Seconds until a provider that gave no answer is asked again, and after which we stop waiting.
_ASK_AGAIN = 10.0
_ASK_NO_LONGER = 120.0


async def settle_due(run: Runtime) -> int:
    """Declare what is unknown, ask about what is due, write down what was decided."""
    async with run.ledger.read() as db:
        if not await unknowns.any_due(db):
            return 0
    async with run.ledger.bulk() as db:
        declared = await unknowns.declare_unknown(db, PAGE * 4)
    if declared:
        log.warning("attempts turned unknown", extra={"count": declared})
    async with run.ledger.write() as db:
        due = await unknowns.take_due(db, PAGE)
    if not due:
        return declared
    unsure = [attempt for attempt in due if attempt.is_unknown]
    decided = await _decide_all(run, unsure)
    polled = [attempt for attempt in due if not attempt.is_unknown]
    waiting = await asyncio.gather(*(_poll(run, attempt) for attempt in polled))
    async with run.ledger.bulk() as db:
        await decisions.write_decisions(db, [*decided, *waiting])
    channels = {attempt.attempt: attempt.channel for attempt in unsure}
    for verdict in decided:
        if verdict.resolution:
            run.metrics.decided(channels[verdict.attempt], verdict.resolution)
    return declared + len(due)


async def _decide_all(run: Runtime, unsure: Sequence[Open]) -> list[Decided]:
    if not unsure:
        return []
    async with run.ledger.read() as db:
        late = await unknowns.late_outcomes(db, [a.attempt for a in unsure])
        now = await read_now(db)
    decided: list[Decided] = []
    asking: list[Open] = []
    for attempt in unsure:
        known = _known(attempt, late.get(attempt.attempt))
        if known is None:
            asking.append(attempt)
        else:
            decided.append(known)
    answers = await asyncio.gather(*(_ask(run, attempt) for attempt in asking))
    taken: set[tuple[str, str]] = set()
    for attempt, found in zip(asking, answers, strict=True):
        decided.append(await _judge(run, attempt, found, now, taken))
    return decided


def _known(attempt: Open, late: object) -> Decided | None:
    """Decide by what we were told meanwhile, before anyone is asked."""
    base = Decided(attempt=attempt.attempt, alert_id=attempt.alert_id)
    if attempt.receipt > 0:
        return replace(
            base,
            resolution=Resolution.SETTLED,
            by="receipt",
            receipt=attempt.receipt,
            ask_in=_poll_in(attempt.receipt),
        )
    if not isinstance(late, dict):
        return None
    match late["outcome"]:
        case "accepted":
            return replace(
                base,
                resolution=Resolution.SETTLED,
                by="late_outcome",
                provider_id=late["provider_id"],
                receipt=late["receipt"],
                ask_in=_poll_in(late["receipt"]),
            )
        case "deferred" | "not_begun":
            return replace(base, resolution=Resolution.NOT_BEGUN, by="late_outcome")
        case "refused":
            return replace(
                base,
                resolution=Resolution.FAILED,
                by="late_outcome",
                reason=Reason(late["reason"]),
            )
        case _:
            return None


def _poll_in(receipt: int) -> float | None:
    """Return when to ask for receipts that may not come, None where none is left to come."""
    return None if receipt >= RANK[ReceiptKind.FAILED] else POLL_AFTER[0].total_seconds()


async def _ask(run: Runtime, attempt: Open) -> Sequence[Candidate] | None:
    """Return what the provider holds; None where it gave no answer or nobody can be asked."""
    showing = await run.showing(attempt.alert_id)
    channel = run.provider(showing.alert.mode, attempt.channel, attempt.provider)
    if channel is None or not can_find(channel):
        return None
    prepared = channel.prepare(wording_of(showing.alert, attempt.channel, attempt.locale))
    asked = Asked(
        attempt=attempt.attempt,
        address=attempt.address,
        opened_at=to_datetime(attempt.opened_at),
        text=channel.preview(prepared).text,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            return await channel.find(asked)
    except (CannotAskError, TimeoutError):
        return None
    except Exception:
        # A bug over one attempt must not keep all others of the page from being decided.
        log.exception("channel raised when asked", extra={"delivery": attempt.attempt.delivery_id})
        return None


async def _judge(
    run: Runtime,
    attempt: Open,
    found: Sequence[Candidate] | None,
    now: int,
    taken: set[tuple[str, str]],
) -> Decided:
    base = Decided(attempt=attempt.attempt, alert_id=attempt.alert_id)
    free = await _free(run, attempt, found or (), taken)
    if free:
        taken.add((attempt.channel, free.provider_id))
        # If it failed there, `fetch` tells at once why, and whether for good.
        failed = free.kind is ReceiptKind.FAILED
        rank = RANK[ReceiptKind.ACCEPTED] if failed else RANK[free.kind]
        return replace(
            base,
            resolution=Resolution.SETTLED,
            by="provider",
            provider_id=free.provider_id,
            receipt=max(rank, RANK[ReceiptKind.ACCEPTED]),
            ask_in=0 if failed else _poll_in(rank),
        )
    showing = await run.showing(attempt.alert_id)
    channel = run.provider(showing.alert.mode, attempt.channel, attempt.provider)
    askable = channel is not None and can_find(channel)
    waited = (now - attempt.opened_at) / SECOND
    if found is None and askable and waited < _ASK_NO_LONGER:
        return replace(base, ask_in=_ASK_AGAIN, unanswered=True)
    if found is not None and attempt.asks < len(ASK_AFTER):
        pause = ASK_AFTER[attempt.asks] - ASK_AFTER[attempt.asks - 1]
        return replace(base, ask_in=pause.total_seconds())
    return _by_policy(base, showing.alert, channel, attempt, answered_empty=found is not None)


async def _free(
    run: Runtime, attempt: Open, found: Sequence[Candidate], taken: set[tuple[str, str]]
) -> Candidate | None:
    """Return the first candidate that no other attempt holds."""
    if not found:
        return None
    async with run.ledger.read() as db:
        held = await unknowns.held_ids(db, attempt.channel, [c.provider_id for c in found])
    for candidate in found:
        if candidate.provider_id == attempt.provider_id:
            return candidate
        mine = (attempt.channel, candidate.provider_id)
        if candidate.provider_id not in held and mine not in taken:
            return candidate
    return None


def _by_policy(
    base: Decided, alert: Alert, channel: AnyChannel | None, attempt: Open, *, answered_empty: bool
) -> Decided:
    """Decide after all asking (`kentongan.settling.decide` has the rule)."""
    if channel is None:
        return base
    resolution = decide(
        channel.repeat,
        alert.severity,
        worker_died=attempt.worker_died,
        answered_empty=answered_empty,
    )
    if resolution is None:
        log.warning("stays unknown", extra={"delivery": attempt.attempt.delivery_id})
        return base
    repeats = resolution is Resolution.REPEAT
    if attempt.deaths >= MOST_DEATHS and resolution is not Resolution.FAILED:
        log.error("set aside as poison", extra={"delivery": attempt.attempt.delivery_id})
        aside = Resolution.REPEAT if repeats else Resolution.FAILED  # what left may have arrived
        return replace(base, resolution=aside, by="policy", reason=Reason.POISON, may_repeat=False)
    wait = channel.retry.wait_before(attempt.tries + 1)
    return replace(
        base,
        resolution=resolution,
        by="policy",
        reason=None if resolution is Resolution.NOT_BEGUN else Reason.NO_REPLY,
        charged=repeats,
        may_repeat=wait is not None,
        is_suspect=attempt.deaths > 0,
    )


async def _poll(run: Runtime, attempt: Open) -> Decided:
    """Ask for a receipt that did not come; what the provider says goes the way of all receipts."""
    base = Decided(attempt=attempt.attempt, alert_id=attempt.alert_id)
    if attempt.receipt >= RANK[ReceiptKind.FAILED] or attempt.provider_id is None:
        return base
    showing = await run.showing(attempt.alert_id)
    channel = run.provider(showing.alert.mode, attempt.channel, attempt.provider)
    if channel is None:
        return base
    pauses = [after.total_seconds() for after in POLL_AFTER]
    again = pauses[attempt.asks] - pauses[attempt.asks - 1] if attempt.asks < len(pauses) else None
    try:
        async with asyncio.timeout(_PATIENCE):
            receipt = await channel.fetch(attempt.provider_id)
    except (CannotAskError, TimeoutError):
        return replace(base, ask_in=again)
    except Exception:
        log.exception("channel raised when asked", extra={"delivery": attempt.attempt.delivery_id})
        return replace(base, ask_in=again)
    if receipt is not None and RANK[receipt.kind] > attempt.receipt:
        payload = {
            "receipt": receipt.kind,
            "provider_id": attempt.provider_id,
            "reason": receipt.reason,
            "transient": receipt.transient,
            "word": receipt.word,
            "code": receipt.code,
        }
        async with run.ledger.write() as db:
            await events.keep(
                db, channel=attempt.channel, kind="poll", payload=payload, attempt=attempt.attempt
            )
    return replace(base, ask_in=again)
