"""Attempts that nobody is sure about: finding them, taking them up in turn, deciding them once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import Micros, seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.settling import ASK_AFTER, LONGEST_OPEN, Resolution
from ledger.dialect import is_postgresql, update_many
from ledger.engine import read_now
from ledger.schema import attempts, deliveries, incarnations, provider_events
from ledger.settle import best_receipt, lock_running

#: Whoever takes up an attempt has this many seconds to ask; then another may.
_HOLD = 20.0


async def declare_unknown(db: AsyncConnection, limit: int) -> int:
    """Turn open attempts of dead workers, and any open for a minute, into unknowns.

    Not into pending: the request may have left. Returns how many.
    """
    now = await read_now(db)
    alive = exists().where(incarnations.c.id == attempts.c.worker, incarnations.c.until_at > now)
    longest = int(LONGEST_OPEN.total_seconds())
    query = (
        select(attempts.c.delivery_id, attempts.c.no)
        .where(
            attempts.c.outcome.is_(None),
            or_(~alive, attempts.c.opened_at < now - seconds(longest)),
        )
        .order_by(attempts.c.delivery_id)
        .limit(limit)
    )
    if is_postgresql(db):
        query = query.with_for_update(skip_locked=True)
    found = (await db.execute(query)).all()
    await update_many(
        db,
        attempts,
        [
            {
                "delivery_id": row.delivery_id,
                "no": row.no,
                "outcome": "unknown",
                "outcome_at": now,
                "reason": Reason.WORKER_DIED,
                "ask_at": now + seconds(ASK_AFTER[0].total_seconds()),
            }
            for row in found
        ],
        keys=("delivery_id", "no"),
        guard="attempts.outcome IS NULL",
    )
    await update_many(
        db,
        deliveries,
        [
            {
                "id": row.delivery_id,
                "attempts": row.no,
                "work": Work.UNKNOWN,
                "reason": Reason.WORKER_DIED,
            }
            for row in found
        ],
        keys=("id", "attempts"),
        guard="deliveries.work = 'attempting'",
    )
    return len(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An attempt whose turn to be asked about has come; `asks` counts this time too."""

    attempt: AttemptRef
    alert_id: str
    channel: str
    address: str
    locale: str
    opened_at: Micros
    is_unknown: bool  # and not resolved; else it was handed over, and its receipts are waited for
    worker_died: bool
    asks: int
    tries: int
    receipt: int
    provider_id: str | None


async def take_due(db: AsyncConnection, limit: int) -> list[Open]:
    """Take up attempts to ask about: unknown ones, and handed-over ones without a last receipt.

    Taking one up puts it off, so that two workers do not ask at once and a dead one holds it up
    for no longer than that.
    """
    now = await read_now(db)
    chosen = (
        select(attempts.c.delivery_id, attempts.c.no)
        .where(attempts.c.ask_at <= now)
        .order_by(attempts.c.ask_at)
        .limit(limit)
    )
    if is_postgresql(db):
        chosen = chosen.with_for_update(skip_locked=True)
    found = (await db.execute(chosen)).all()
    if not found:
        return []
    same = [and_(attempts.c.delivery_id == r.delivery_id, attempts.c.no == r.no) for r in found]
    await db.execute(
        update(attempts)
        .where(or_(*same))
        .values(ask_at=now + seconds(_HOLD), asks=attempts.c.asks + 1)
    )
    rows = await db.execute(
        select(
            attempts,
            deliveries.c.address,
            deliveries.c.locale,
            deliveries.c.tries,
        )
        .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
        .where(or_(*same))
    )
    return [_open_of(row) for row in rows]


def _open_of(row: Any) -> Open:
    return Open(
        attempt=AttemptRef(DeliveryId(row.delivery_id), row.no),
        alert_id=row.alert_id,
        channel=row.channel,
        address=row.address,
        locale=row.locale,
        opened_at=Micros(row.opened_at),
        is_unknown=row.outcome == "unknown" and row.resolution is None,
        worker_died=row.reason == Reason.WORKER_DIED,
        asks=row.asks,
        tries=row.tries,
        receipt=row.receipt,
        provider_id=row.provider_id,
    )


async def late_outcomes(
    db: AsyncConnection, refs: Sequence[AttemptRef]
) -> dict[AttemptRef, Mapping[str, Any]]:
    """Return what workers wrote down too late; read before anyone is asked."""
    rows = await db.execute(
        select(provider_events.c.delivery_id, provider_events.c.no, provider_events.c.payload)
        .where(
            provider_events.c.kind == "late_outcome",
            provider_events.c.delivery_id.in_({ref.delivery_id for ref in refs}),
        )
        .order_by(provider_events.c.id)
    )
    return {AttemptRef(DeliveryId(row.delivery_id), row.no): row.payload for row in rows}


async def held_ids(db: AsyncConnection, channel: str, ids: Sequence[str]) -> set[str]:
    """Return which of a provider's ids other attempts hold; such an id is never adopted."""
    rows = await db.execute(
        select(attempts.c.provider_id).where(
            attempts.c.channel == channel, attempts.c.provider_id.in_(ids)
        )
    )
    return set(rows.scalars())


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
        [
            {
                "delivery_id": d.attempt.delivery_id,
                "no": d.attempt.no,
                "resolution": d.resolution,
                "resolution_by": d.by,
                "resolution_at": now,
                "ask_at": None if d.ask_in is None else now + seconds(d.ask_in),
            }
            for d in resolved
        ],
        keys=("delivery_id", "no"),
        guard="attempts.resolution IS NULL AND attempts.outcome = 'unknown'",
    )
    await _adopt(db, resolved)
    await _ask_again(db, [d for d in decided if not d.resolution], now)
    rows = []
    for d in resolved:
        work, due_at = _work_after(d, now)
        work, instead = running[d.alert_id].work_for(work, due_at)
        rows.append(
            {
                "id": d.attempt.delivery_id,
                "attempts": d.attempt.no,
                "work": work,
                "reason": instead or d.reason,
                "due_at": due_at if work is Work.RETRY_WAIT else None,
                "settled_at": now if work in {Work.SETTLED, Work.FAILED} else None,
            }
        )
    await update_many(
        db, deliveries, rows, keys=("id", "attempts"), guard="deliveries.work = 'unknown'"
    )
    await _charge(db, [d for d in resolved if d.charged])


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
