"""What operators watch: how much waits, who works, what stands still, whether we can commit."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import SECOND
from ledger.dialect import db_now, is_postgresql
from ledger.engine import read_now
from ledger.providers import Standing, standings
from ledger.schema import (
    alert_progress,
    alerts,
    deliveries,
    incarnations,
    leader,
)


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits on one channel and lane; the age is that of its oldest alert."""

    channel: str
    lane: str
    deliveries: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Gauges:
    """One look at everything."""

    queues: tuple[Depth, ...]
    providers: tuple[Standing, ...]
    workers: int


async def look(db: AsyncConnection) -> Gauges:
    """Count what waits. Costs a walk over the deliveries that wait: ask seldom."""
    now = await read_now(db)
    waits = deliveries.c.work.in_(("pending", "retry_wait"))
    counted = await db.execute(
        select(
            deliveries.c.channel,
            alerts.c.lane,
            func.count().label("waiting"),
            func.min(alert_progress.c.expand_at).label("since"),
        )
        .select_from(
            deliveries.join(alerts, alerts.c.id == deliveries.c.alert_id).join(
                alert_progress, alert_progress.c.alert_id == alerts.c.id
            )
        )
        .where(alert_progress.c.closed_at.is_(None), waits)
        .group_by(deliveries.c.channel, alerts.c.lane)
    )
    queues = tuple(
        Depth(row.channel, row.lane, row.waiting, max(0.0, (now - row.since) / SECOND))
        for row in counted
    )
    return Gauges(queues, tuple(await standings(db)), await living_workers(db))


async def living_workers(db: AsyncConnection) -> int:
    """Return how many workers hold their lease."""
    living = select(func.count()).select_from(incarnations)
    return (await db.execute(living.where(incarnations.c.until_at > db_now()))).scalar_one()


async def prove_commit(db: AsyncConnection) -> None:
    """Write one small row, which shows that a transaction can end well."""
    insert = postgresql.insert if is_postgresql(db) else sqlite.insert
    row = {"name": "readyz", "holder": "", "until_at": db_now()}
    await db.execute(
        insert(leader)
        .values(row)
        .on_conflict_do_update(index_elements=["name"], set_={"until_at": db_now()})
    )
