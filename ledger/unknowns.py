"""Attempts that nobody is sure about: finding them, and taking them up in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import Micros, seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.settling import ASK_AFTER, LONGEST_OPEN
from ledger.dialect import db_now, is_postgresql, update_many
from ledger.engine import read_now
from ledger.looks import look
from ledger.schema import attempts, deliveries, incarnations, provider_events

#: Whoever takes up an attempt has this many seconds to ask, which may take twelve; then another
#: may. One that dies meanwhile costs as much, and what a dead worker had open is to be decided
#: within a minute: twelve seconds are its lease, and thirty the last question's turn.
_HOLD = 14.0


async def any_due(db: AsyncConnection) -> bool:
    """Tell whether there is anything to declare or to ask about; it takes no lock."""
    [[due]] = await look(db, _ANY_DUE)
    return bool(due)


async def declare_unknown(db: AsyncConnection, limit: int) -> int:
    """Turn open attempts of dead workers, and any open for a minute, into unknowns.

    Not into pending: the request may have left. Returns how many.
    """
    now = await read_now(db)
    found = await _abandoned(db, limit, now)
    attempt = {
        "outcome": "unknown",
        "outcome_at": now,
        "reason": Reason.WORKER_DIED,
        "ask_at": now + seconds(ASK_AFTER[0].total_seconds()),
    }
    await update_many(
        db,
        attempts,
        [{"delivery_id": row.delivery_id, "no": row.no, **attempt} for row in found],
        keys=("delivery_id", "no"),
        guard="attempts.outcome IS NULL",
    )
    delivery = {"work": Work.UNKNOWN, "reason": Reason.WORKER_DIED}
    await update_many(
        db,
        deliveries,
        [
            {
                "id": row.delivery_id,
                "attempts": row.no,
                "deaths": row.deaths + int(row.died),
                **delivery,
            }
            for row in found
        ],
        keys=("id", "attempts"),
        guard="deliveries.work = 'attempting'",
    )
    return len(found)


async def _abandoned(db: AsyncConnection, limit: int, now: int) -> Sequence[Any]:
    """Lock and return open attempts that nobody will settle any more; `died`: with their worker."""
    query = (
        _abandoned_at(now)
        .add_columns(deliveries.c.deaths, (~_is_alive(now)).label("died"))
        .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
        .order_by(attempts.c.delivery_id)
        .limit(limit)
    )
    if is_postgresql(db):
        query = query.with_for_update(skip_locked=True, of=[deliveries, attempts])
    return (await db.execute(query)).all()


def _is_alive(now: int | db_now) -> ColumnElement[bool]:
    return exists().where(incarnations.c.id == attempts.c.worker, incarnations.c.until_at > now)


def _abandoned_at(now: int | db_now) -> Select[Any]:
    longest = seconds(LONGEST_OPEN.total_seconds())
    return select(attempts.c.delivery_id, attempts.c.no).where(
        attempts.c.outcome.is_(None), or_(~_is_alive(now), attempts.c.opened_at < now - longest)
    )


_ANY_DUE = select(
    or_(exists().where(attempts.c.ask_at <= db_now()), _abandoned_at(db_now()).exists())
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An attempt whose turn to be asked about has come; `asks` counts this time too."""

    attempt: AttemptRef
    alert_id: str
    channel: str
    provider: str  # who took it, and can be asked about it
    address: str
    locale: str
    opened_at: Micros
    is_unknown: bool  # and not resolved; else it was handed over, and its receipts are waited for
    worker_died: bool
    asks: int
    tries: int
    deaths: int  # workers that were lost with an attempt of its delivery open
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
            deliveries.c.deaths,
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
        provider=row.provider,
        address=row.address,
        locale=row.locale,
        opened_at=Micros(row.opened_at),
        is_unknown=row.outcome == "unknown" and row.resolution is None,
        worker_died=row.reason == Reason.WORKER_DIED,
        asks=row.asks,
        tries=row.tries,
        deaths=row.deaths,
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
