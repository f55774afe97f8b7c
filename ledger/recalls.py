"""What providers may still hold of alerts that are over: found, and taken up to be called back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.settling import Resolution
from ledger.dialect import is_postgresql, update_many
from ledger.engine import read_now
from ledger.schema import alerts, attempts

#: Whoever takes one up has this many seconds; then it is tried again, three times in all (the
#: index has the number too).
_HOLD = 20.0

#: No receipt beyond *queued* came, and tries are left. Written out as the partial index has it, for
#: the planner to see that it serves.
_IS_HELD = text("attempts.ask_at IS NOT NULL AND attempts.receipt <= 20 AND attempts.recalls < 3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An attempt that was handed over, and that its provider may not have sent yet."""

    attempt: AttemptRef
    channel: str
    provider: str
    provider_id: str


async def holding(db: AsyncConnection, alert_ids: Sequence[str]) -> set[str]:
    """Return those of these alerts of which something may be called back now; takes no lock."""
    if not alert_ids:
        return set()
    now = await read_now(db)
    some = exists().where(attempts.c.alert_id == alerts.c.id, _may(now))
    rows = await db.execute(select(alerts.c.id).where(alerts.c.id.in_(alert_ids), some))
    return set(rows.scalars())


async def take(
    db: AsyncConnection, alert_id: str, channels: Sequence[str], limit: int
) -> list[Held]:
    """Take up what may be called back on these channels; nobody else does for a while.

    Should whoever took it die, another does it again: calling back twice is harmless.
    """
    now = await read_now(db)
    query = (
        select(attempts)
        .where(attempts.c.alert_id == alert_id, attempts.c.channel.in_(channels), _may(now))
        .limit(limit)
    )
    if is_postgresql(db):
        query = query.with_for_update(skip_locked=True)
    rows = (await db.execute(query)).all()
    until = now + seconds(_HOLD)
    taken = [
        {"delivery_id": r.delivery_id, "no": r.no, "recalls": r.recalls + 1, "recall_at": until}
        for r in rows
    ]
    await update_many(db, attempts, taken, keys=("delivery_id", "no"))
    return [_held_of(row) for row in rows]


def _held_of(row: Any) -> Held:
    return Held(
        attempt=AttemptRef(DeliveryId(row.delivery_id), row.no),
        channel=row.channel,
        provider=row.provider,
        provider_id=row.provider_id,
    )


def _may(now: int) -> ColumnElement[bool]:
    return and_(
        _IS_HELD,
        attempts.c.provider_id.is_not(None),
        or_(attempts.c.outcome == "accepted", attempts.c.resolution == Resolution.SETTLED),
        or_(attempts.c.recall_at.is_(None), attempts.c.recall_at <= now),
    )
