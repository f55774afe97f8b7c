"""Provider events: what was said to us, kept raw before it is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.ids import AttemptRef, DeliveryId, new_ids
from ledger.dialect import insert_many, is_postgresql, update_many
from ledger.engine import read_now
from ledger.looks import look
from ledger.schema import provider_events


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One raw event, as it was kept."""

    id: str
    channel: str
    kind: str
    attempt: AttemptRef | None
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that was said to us (secrets are taken out before)."""

    channel: str
    kind: str
    payload: Mapping[str, Any]
    attempt: AttemptRef | None = None
    joined_already: bool = False


_READ = tuple(
    provider_events.c[name] for name in ("id", "channel", "kind", "delivery_id", "no", "payload")
)


async def keep(
    db: AsyncConnection,
    *,
    channel: str,
    kind: str,
    payload: Mapping[str, Any],
    attempt: AttemptRef | None = None,
    joined_already: bool = False,
) -> str:
    """Write down what was said to us; return the event's id."""
    event = NewEvent(
        channel=channel,
        kind=kind,
        payload=payload,
        attempt=attempt,
        joined_already=joined_already,
    )
    [made] = await keep_many(db, [event])
    return made


async def keep_many(db: AsyncConnection, new: Sequence[NewEvent]) -> list[str]:
    """Write down what was said to us, in this order; return the events' ids."""
    now = await read_now(db)
    rows = [
        {
            "id": event_id,
            "channel": event.channel,
            "kind": event.kind,
            "delivery_id": event.attempt.delivery_id if event.attempt else None,
            "no": event.attempt.no if event.attempt else None,
            "payload": dict(event.payload),
            "came_at": now,
            "joined_at": now if event.joined_already else None,
            "verdict": "kept" if event.joined_already else None,
        }
        for event_id, event in zip(new_ids("event", len(new)), new, strict=True)
    ]
    await insert_many(db, provider_events, rows)
    return [str(row["id"]) for row in rows]


async def unjoined(
    db: AsyncConnection, limit: int, after: str = "", *, latest_first: bool = False
) -> list[Event]:
    """Return the oldest events that were not joined, or the latest, locked where rows are.

    Two workers never join one event at once: the second skips it. `after` passes over those that
    were read before and wait: what came no later than it, or no earlier where the latest is first.
    """
    lock = is_postgresql(db)
    query = _waiting(latest_first=latest_first, begins=not after, lock=lock)
    rows = await db.execute(query, {"most": limit} | ({"after": after} if after else {}))
    return [_event_of(row) for row in rows]


@cache
def _waiting(*, latest_first: bool, begins: bool, lock: bool) -> Select[Any]:
    event_id = provider_events.c.id
    query = select(*_READ).where(provider_events.c.joined_at.is_(None)).limit(bindparam("most"))
    if not begins:
        last = bindparam("after", type_=event_id.type)
        query = query.where(event_id < last if latest_first else event_id > last)
    query = query.order_by(event_id.desc() if latest_first else event_id)
    return query.with_for_update(skip_locked=True) if lock else query


def _event_of(row: Row[Any]) -> Event:
    return Event(
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        attempt=AttemptRef(DeliveryId(row.delivery_id), row.no) if row.no else None,
        payload=row.payload,
    )


async def any_unjoined(db: AsyncConnection) -> bool:
    return bool(await look(db, _ANY_UNJOINED))


_ANY_UNJOINED = select(provider_events.c.id).where(provider_events.c.joined_at.is_(None)).limit(1)


async def mark(db: AsyncConnection, verdicts: Mapping[str, str], now: int) -> None:
    """Write what became of events; those that wait are looked at again."""
    await update_many(
        db,
        provider_events,
        [
            {"id": event, "joined_at": now, "verdict": verdict}
            for event, verdict in sorted(verdicts.items())
            if verdict != "waits"
        ],
        keys=("id",),
    )
