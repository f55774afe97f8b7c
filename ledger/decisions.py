"""Writing what became of unknown attempts: once, and never against a receipt that came first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef
from kentongan.outcome import Reason
from kentongan.settling import Resolution
from ledger.dialect import Row, update_many
from ledger.engine import read_now
from ledger.provider_ids import holders
from ledger.schema import attempts, deliveries
from ledger.settle import Running, best_receipt, is_reached, lock_running, standing

#: Seconds until an attempt is asked about again whose message turned out to be another's.
_ASK_AGAIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of an unknown attempt: resolved, or (with `ask_in` seconds) asked about again.

    Neither: nobody can be asked any more, and it is shown as unknown.
    """

    attempt: AttemptRef
    alert_id: str
    resolution: Resolution | None = None
    by: str = ""
    provider_id: str | None = None
    receipt: int = 0
    reason: Reason | None = None
    charged: bool = False
    due_in: float = 0
    may_repeat: bool = True
    is_suspect: bool = False  # it may have killed its worker; it flies apart from the rest
    ask_in: float | None = None
    unanswered: bool = False  # this time does not count as asked


async def write_decisions(db: AsyncConnection, decided: Sequence[Decided]) -> None:
    """Write resolutions, once each, and what the deliveries become by them.

    Where another attempt has come to hold the id that was found, it is asked about again.
    """
    now = await read_now(db)
    running = await lock_running(db, sorted({d.alert_id for d in decided}))
    was = await standing(db, [d.attempt.delivery_id for d in decided])
    held = await holders(db, {(was[d.attempt].channel, d.provider_id or "") for d in decided})
    resolved: list[Decided] = []
    waiting = [d for d in decided if not d.resolution]
    for d in sorted((d for d in decided if d.resolution), key=lambda d: d.attempt):
        row = was[d.attempt]
        if row.outcome != "unknown" or row.resolution:
            continue
        if d.by == "provider" and not held.is_free(row.channel, d.provider_id, d.attempt):
            waiting.append(replace(d, resolution=None, ask_in=_ASK_AGAIN))
            continue
        held.hold(row.channel, d.provider_id, d.attempt)
        resolved.append(d)
    keys = ("delivery_id", "no")
    await update_many(
        db, attempts, [_attempt_row(d, was[d.attempt], now) for d in resolved], keys=keys
    )
    await update_many(
        db, attempts, [_asking_row(d, was[d.attempt], now) for d in waiting], keys=keys
    )
    await update_many(
        db,
        deliveries,
        [_delivery_row(d, was[d.attempt], running[d.alert_id], now) for d in resolved],
        keys=("id", "attempts"),
        guard="deliveries.work = 'unknown'",
    )


def _attempt_row(d: Decided, was: Any, now: int) -> Row:
    return {
        "delivery_id": d.attempt.delivery_id,
        "no": d.attempt.no,
        "resolution": d.resolution,
        "resolution_by": d.by,
        "resolution_at": now,
        "ask_at": _ask_at(d, now),
        "asks": 0,  # from here on it is asked about its receipts
        "provider_id": d.provider_id or was.provider_id,
        "receipt": max(d.receipt, was.receipt),
    }


def _asking_row(d: Decided, was: Any, now: int) -> Row:
    return {
        "delivery_id": d.attempt.delivery_id,
        "no": d.attempt.no,
        "ask_at": _ask_at(d, now),
        "asks": was.asks - int(d.unanswered),
    }


def _ask_at(d: Decided, now: int) -> int | None:
    return None if d.ask_in is None else now + seconds(d.ask_in)


def _delivery_row(d: Decided, was: Any, running: Running, now: int) -> Row:
    work, due_at = _work_after(d, now)
    if is_reached(was):
        work = Work.SETTLED
    work, instead = running.work_for(work, due_at)
    return {
        "id": d.attempt.delivery_id,
        "attempts": d.attempt.no,
        "work": work,
        "reason": None if work is Work.SETTLED else instead or d.reason,
        "receipt": best_receipt(was.best, max(d.receipt, was.receipt)),
        "tries": was.tries + int(d.charged),
        "due_at": due_at if work is Work.RETRY_WAIT else None,
        "settled_at": now if work in {Work.SETTLED, Work.FAILED} else None,
    }


def _work_after(d: Decided, now: int) -> tuple[Work, int]:
    due_at = now + seconds(d.due_in)
    match d.resolution:
        case Resolution.SETTLED:
            return Work.SETTLED, now
        case Resolution.NOT_BEGUN if d.is_suspect:
            return Work.RETRY_WAIT, now
        case Resolution.NOT_BEGUN:
            return Work.PENDING, now
        case Resolution.REPEAT if d.may_repeat:
            return Work.RETRY_WAIT, due_at
        case _:
            return Work.FAILED, now
