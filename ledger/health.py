"""Trouble of ours with a provider: counted, stopped after three, resumed by a probe, and shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from ledger.dialect import db_now, insert_or_skip
from ledger.schema import channel_health

#: An account fault may be a provider's hiccup once or twice; the third stops the sender.
FAULTS_TO_STOP = 3
#: Seconds between probes of a stopped sender.
PROBE_EVERY = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A sender that is set aside until a probe, or a human, finds it well."""

    channel: str
    sender: str
    reason: str
    detail: str
    stopped_at: int


async def is_stopped(db: AsyncConnection, channel: str, sender: str) -> bool:
    found = await db.execute(
        select(channel_health.c.channel).where(
            channel_health.c.channel == channel,
            channel_health.c.sender == sender,
            channel_health.c.stopped_at.is_not(None),
        )
    )
    return found.first() is not None


async def stopped(db: AsyncConnection) -> list[Stopped]:
    """Return all senders that are set aside."""
    rows = await db.execute(
        select(channel_health)
        .where(channel_health.c.stopped_at.is_not(None))
        .order_by(channel_health.c.channel, channel_health.c.sender)
    )
    return [
        Stopped(
            channel=row.channel,
            sender=row.sender,
            reason=row.reason or "",
            detail=row.detail or "",
            stopped_at=row.stopped_at,
        )
        for row in rows
    ]


async def note_faults(
    db: AsyncConnection, channel: str, sender: str, *, faults: int, reason: str, detail: str
) -> bool:
    """Count faults of our account or sender; True if this stopped the sender."""
    await db.execute(insert_or_skip(db, channel_health).values(channel=channel, sender=sender))
    mine = (channel_health.c.channel == channel) & (channel_health.c.sender == sender)
    await db.execute(
        update(channel_health)
        .where(mine)
        .values(faults=channel_health.c.faults + faults, reason=reason, detail=detail)
    )
    now_stopped = await db.execute(
        update(channel_health)
        .where(
            mine,
            channel_health.c.faults >= FAULTS_TO_STOP,
            channel_health.c.stopped_at.is_(None),
        )
        .values(stopped_at=db_now(), probe_at=db_now() + seconds(PROBE_EVERY))
    )
    return bool(now_stopped.rowcount)


async def note_success(db: AsyncConnection, channel: str, sender: str) -> None:
    """Forget faults: the account works."""
    await db.execute(
        update(channel_health)
        .where(channel_health.c.channel == channel, channel_health.c.sender == sender)
        .values(faults=0, reason=None, detail=None, stopped_at=None, probe_at=None)
    )


async def take_probes(db: AsyncConnection) -> Sequence[tuple[str, str]]:
    """Take up the senders whose probe is due; another worker waits for the next."""
    rows = await db.execute(
        update(channel_health)
        .where(channel_health.c.probe_at <= db_now())
        .values(probe_at=db_now() + seconds(PROBE_EVERY))
        .returning(channel_health.c.channel, channel_health.c.sender)
    )
    return [(row.channel, row.sender) for row in rows]
