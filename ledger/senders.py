"""Senders: who is set aside, what their day still allows, and whom a person wrote to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Table,
    delete,
    exists,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import SECOND, seconds
from kentongan.ids import AttemptRef
from ledger.dialect import insert_or_skip, is_postgresql, update_many
from ledger.engine import read_now
from ledger.looks import look
from ledger.schema import attempts
from ledger.schema_providers import conversations, sender_days, sender_health

#: Seconds until a sender that was set aside is tried again: mending one takes a human.
AGAIN_AFTER = 60.0
_DAY = 86_400

From = tuple[str, str, str]  # channel, provider, sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A sender that is set aside until a human, or a probe, finds it well."""

    channel: str
    provider: str
    sender: str
    reason: str
    detail: str
    aside_at: int


async def set_aside(db: AsyncConnection, who: From, *, reason: str, detail: str) -> bool:
    """Set a sender aside; False if it was already."""
    now = await read_now(db)
    channel, provider, sender = who
    made = await db.execute(
        insert_or_skip(db, sender_health).values(
            channel=channel,
            provider=provider,
            sender=sender,
            reason=reason,
            detail=detail,
            aside_at=now,
            probe_at=now + seconds(AGAIN_AFTER),
        )
    )
    return bool(made.rowcount)


async def aside(db: AsyncConnection) -> list[Aside]:
    """Return all senders that are set aside."""
    return [
        Aside(
            channel=channel,
            provider=provider,
            sender=sender,
            reason=reason,
            detail=detail,
            aside_at=aside_at,
        )
        for channel, provider, sender, reason, detail, aside_at in await look(db, _ASIDE)
    ]


_ASIDE = select(
    *(sender_health.c.channel, sender_health.c.provider, sender_health.c.sender),
    *(sender_health.c.reason, sender_health.c.detail, sender_health.c.aside_at),
).order_by(sender_health.c.channel, sender_health.c.provider, sender_health.c.sender)


async def take_probes(db: AsyncConnection) -> list[From]:
    """Take up the senders whose time to be tried again has come."""
    now = await read_now(db)
    rows = await db.execute(
        update(sender_health)
        .where(sender_health.c.probe_at <= now)
        .values(probe_at=now + seconds(AGAIN_AFTER))
        .returning(sender_health.c.channel, sender_health.c.provider, sender_health.c.sender)
    )
    return [(row.channel, row.provider, row.sender) for row in rows]


async def bring_back(db: AsyncConnection, who: From) -> None:
    """Send from it again."""
    await db.execute(delete(sender_health).where(_is(sender_health, who)))


async def take_of_day(db: AsyncConnection, who: From, units: int, most: int) -> int:
    """Take at most `units` of what a sender may still send today; return how many."""
    day = await read_now(db) // (_DAY * SECOND)
    channel, provider, sender = who
    await db.execute(
        insert_or_skip(db, sender_days).values(
            channel=channel, provider=provider, sender=sender, day=day, units=0
        )
    )
    mine = _is(sender_days, who) & (sender_days.c.day == day)
    locked = select(sender_days.c.units).where(mine).with_for_update()
    used = int((await db.execute(locked)).scalar_one())
    granted = max(0, min(units, most - used))
    if granted:
        await db.execute(update(sender_days).where(mine).values(units=used + granted))
    return granted


async def give_back_of_day(db: AsyncConnection, who: From, units: int) -> None:
    """Return units that were taken and not used."""
    day = await read_now(db) // (_DAY * SECOND)
    await db.execute(
        update(sender_days)
        .where(_is(sender_days, who), sender_days.c.day == day, sender_days.c.units >= units)
        .values(units=sender_days.c.units - units)
    )


async def forget_days(db: AsyncConnection) -> None:
    """Delete the counts of past days."""
    day = await read_now(db) // (_DAY * SECOND)
    await db.execute(delete(sender_days).where(sender_days.c.day < day - 7))


async def wrote(db: AsyncConnection, channel: str, address: str, *, provider: str, to: str) -> None:
    """Note whom of ours a person wrote to; the last one counts."""
    now = await read_now(db)
    insert = postgresql.insert if is_postgresql(db) else sqlite.insert
    new = {"provider": provider, "sender": to, "came_at": now}
    await db.execute(
        insert(conversations)
        .values(channel=channel, address=address, **new)
        .on_conflict_do_update(index_elements=["channel", "address"], set_=new)
    )


async def talks_to(
    db: AsyncConnection, channel: str, addresses: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Return (provider, sender) of those among the addresses that wrote to one."""
    rows = await db.execute(
        select(conversations.c.address, conversations.c.provider, conversations.c.sender).where(
            conversations.c.channel == channel, conversations.c.address.in_(sorted(addresses))
        )
    )
    return {row.address: (row.provider, row.sender) for row in rows}


async def reassign(db: AsyncConnection, moved: Sequence[tuple[AttemptRef, str, str]]) -> None:
    """Write down that attempts go out from another provider and sender than they were claimed for.

    Only in the transaction of their claim: nobody may have begun them.
    """
    rows = [
        {"delivery_id": ref.delivery_id, "no": ref.no, "provider": provider, "sender": sender}
        for ref, provider, sender in moved
    ]
    await update_many(db, attempts, rows, keys=("delivery_id", "no"))


async def any_talks(db: AsyncConnection, channels: Sequence[str]) -> frozenset[str]:
    """Return the channels on which anybody ever wrote to us."""
    if not channels:
        return frozenset()
    return frozenset(channel for (channel,) in await look(db, _talks(tuple(channels))))


@cache
def _talks(channels: tuple[str, ...]) -> CompoundSelect[Any]:
    """Ask for one conversation of each, where there may be as many as people."""
    return union_all(
        *(
            select(literal(channel)).where(exists().where(conversations.c.channel == channel))
            for channel in channels
        )
    )


def _is(table: Table, who: From) -> ColumnElement[bool]:
    columns = table.c
    return (columns.channel == who[0]) & (columns.provider == who[1]) & (columns.sender == who[2])
