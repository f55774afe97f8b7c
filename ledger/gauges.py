"""What operators watch: how much waits, who works, what stands still, whether we can commit."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import SECOND
from ledger.dialect import db_now, is_postgresql
from ledger.engine import read_now
from ledger.schema import (
    alert_progress,
    alerts,
    channel_health,
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
    providers: Mapping[str, bool]  # channel → does it send
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
    stopped = await stopped_channels(db)
    health = await db.execute(select(channel_health.c.channel).distinct())
    providers = {row.channel: row.channel not in stopped for row in health}
    return Gauges(queues, providers, await living_workers(db))


async def stopped_channels(db: AsyncConnection) -> frozenset[str]:
    """Return the channels that faults of ours have stopped, whole or one sender of them."""
    stopped = select(channel_health.c.channel).where(channel_health.c.stopped_at.is_not(None))
    return frozenset(row.channel for row in await db.execute(stopped.distinct()))


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
