"""Leases: one row per life of a worker, and the one row of the leader."""

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import new_id
from ledger.dialect import db_now, insert_or_skip
from ledger.looks import look
from ledger.schema import incarnations, leader

#: Seconds that a lease is good for, and between renewals (design, section 6).
LEASE = 12.0
RENEW_EVERY = 3.0


async def begin(db: AsyncConnection, place: str) -> str:
    """Start a new life of a worker; `place` tells people where it runs. Returns its id."""
    incarnation = new_id("worker")
    await db.execute(
        insert(incarnations).values(
            id=incarnation,
            place=place,
            started_at=db_now(),
            until_at=db_now() + seconds(LEASE),
        )
    )
    return incarnation


async def renew(db: AsyncConnection, incarnation: str) -> bool:
    """Make the lease good for twelve seconds from now. False: it lapsed, and stays so."""
    renewed = await db.execute(
        update(incarnations)
        .where(incarnations.c.id == incarnation, incarnations.c.until_at > db_now())
        .values(until_at=db_now() + seconds(LEASE))
    )
    return bool(renewed.rowcount)


async def end(db: AsyncConnection, incarnation: str) -> None:
    """Give the lease back; what the worker left open is looked after at once."""
    await db.execute(
        update(incarnations).where(incarnations.c.id == incarnation).values(until_at=db_now())
    )


async def living(db: AsyncConnection) -> int:
    """Return how many workers hold a lease."""
    [[count]] = await look(db, _LIVING)
    return int(count)


_LIVING = select(func.count()).select_from(incarnations).where(incarnations.c.until_at > db_now())


async def may_lead(db: AsyncConnection, incarnation: str, name: str = "leader") -> bool:
    """Tell whether `lead` is worth a write: no other leads."""
    other = select(leader.c.name).where(
        leader.c.name == name, leader.c.holder != incarnation, leader.c.until_at > db_now()
    )
    return (await db.execute(other)).first() is None


async def lead(db: AsyncConnection, incarnation: str, name: str = "leader") -> bool:
    """Take or keep the leader's lease; True while `incarnation` holds it."""
    await db.execute(insert_or_skip(db, leader).values(name=name, holder=incarnation, until_at=0))
    kept = await db.execute(
        update(leader)
        .where(
            leader.c.name == name,
            or_(leader.c.holder == incarnation, leader.c.until_at < db_now()),
        )
        .values(holder=incarnation, until_at=db_now() + seconds(LEASE))
    )
    return bool(kept.rowcount)
