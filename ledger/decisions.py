"""Writing what became of unknown attempts: once, and never against a receipt that came first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef
from kentongan.outcome import Reason
from kentongan.settling import Resolution
from ledger.dialect import Row, update_many
from ledger.engine import read_now
from ledger.schema import attempts, deliveries
from ledger.settle import Running, best_receipt, lock_running


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
    ask_in: float | None = None
    unanswered: bool = False  # this time does not count as asked


async def write_decisions(db: AsyncConnection, decided: Sequence[Decided]) -> None:
    """Write resolutions, once each, and what the deliveries become by them."""
    now = await read_now(db)
    running = await lock_running(db, sorted({d.alert_id for d in decided}))
    resolved = sorted((d for d in decided if d.resolution), key=lambda d: d.attempt)
    await update_many(
        db,
        attempts,
        [_attempt_row(d, now) for d in resolved],
        keys=("delivery_id", "no"),
        guard="attempts.resolution IS NULL AND attempts.outcome = 'unknown'",
    )
    await _adopt(db, resolved)
    await _ask_again(db, [d for d in decided if not d.resolution], now)
    await update_many(
        db,
        deliveries,
        [_delivery_row(d, running[d.alert_id], now) for d in resolved],
        keys=("id", "attempts"),
        guard="deliveries.work = 'unknown'",
    )
    await _charge(db, [d for d in resolved if d.charged])


def _attempt_row(d: Decided, now: int) -> Row:
    return {
        "delivery_id": d.attempt.delivery_id,
        "no": d.attempt.no,
        "resolution": d.resolution,
        "resolution_by": d.by,
        "resolution_at": now,
        "ask_at": None if d.ask_in is None else now + seconds(d.ask_in),
    }


def _delivery_row(d: Decided, running: Running, now: int) -> Row:
    work, due_at = _work_after(d, now)
    work, instead = running.work_for(work, due_at)
    return {
        "id": d.attempt.delivery_id,
        "attempts": d.attempt.no,
        "work": work,
        "reason": instead or d.reason,
        "due_at": due_at if work is Work.RETRY_WAIT else None,
        "settled_at": now if work in {Work.SETTLED, Work.FAILED} else None,
    }


def _work_after(d: Decided, now: int) -> tuple[Work, int]:
    due_at = now + seconds(d.due_in)
    match d.resolution:
        case Resolution.SETTLED:
            return Work.SETTLED, now
        case Resolution.NOT_BEGUN:
            return Work.PENDING, now
        case Resolution.REPEAT if d.may_repeat:
            return Work.RETRY_WAIT, due_at
        case _:
            return Work.FAILED, now


async def _adopt(db: AsyncConnection, resolved: Sequence[Decided]) -> None:
    """Take over the provider's id and what its book says, where we had neither."""
    for d in resolved:
        if d.provider_id is None and not d.receipt:
            continue
        await db.execute(
            update(attempts)
            .where(
                attempts.c.delivery_id == d.attempt.delivery_id,
                attempts.c.no == d.attempt.no,
                attempts.c.resolution == Resolution.SETTLED,
                attempts.c.receipt <= d.receipt,
            )
            .values(provider_id=d.provider_id, receipt=d.receipt)
        )
        row = await db.execute(
            select(deliveries.c.receipt).where(deliveries.c.id == d.attempt.delivery_id)
        )
        best = best_receipt(int(row.scalar_one()), d.receipt)
        await db.execute(
            update(deliveries)
            .where(
                deliveries.c.id == d.attempt.delivery_id,
                deliveries.c.attempts == d.attempt.no,
                deliveries.c.receipt < best,
            )
            .values(receipt=best)
        )


async def _ask_again(db: AsyncConnection, waiting: Sequence[Decided], now: int) -> None:
    await update_many(
        db,
        attempts,
        [
            {
                "delivery_id": d.attempt.delivery_id,
                "no": d.attempt.no,
                "ask_at": None if d.ask_in is None else now + seconds(d.ask_in),
            }
            for d in waiting
        ],
        keys=("delivery_id", "no"),
    )
    for d in waiting:
        if d.unanswered:
            await db.execute(
                update(attempts)
                .where(
                    attempts.c.delivery_id == d.attempt.delivery_id,
                    attempts.c.no == d.attempt.no,
                )
                .values(asks=attempts.c.asks - 1)
            )


async def _charge(db: AsyncConnection, charged: Sequence[Decided]) -> None:
    if charged:
        await db.execute(
            update(deliveries)
            .where(deliveries.c.id.in_([d.attempt.delivery_id for d in charged]))
            .values(tries=deliveries.c.tries + 1)
        )
