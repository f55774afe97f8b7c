"""Leases: one row per life of a worker, and the one row of the leader."""

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import new_id
from ledger.dialect import db_now
from ledger.looks import ask, look
from ledger.schema import incarnations

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
    return bool(await ask(db, _RENEW, incarnation))


_RENEW = f"""
UPDATE incarnations SET until_at = :now + {seconds(LEASE)} WHERE id = $1 AND until_at > :now
RETURNING id"""  # noqa: S608 - of our own words


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
    return not await ask(db, _ANOTHER_LEADS, name, incarnation)


_ANOTHER_LEADS = "SELECT name FROM leader WHERE name = $1 AND holder <> $2 AND until_at > :now"


async def lead(db: AsyncConnection, incarnation: str, name: str = "leader") -> bool:
    """Take or keep the leader's lease; True while `incarnation` holds it."""
    return bool(await ask(db, _LEAD, name, incarnation))


_LEAD = f"""
INSERT INTO leader (name, holder, until_at) VALUES ($1, $2, :now + {seconds(LEASE)})
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_at = excluded.until_at
 WHERE leader.holder = excluded.holder OR leader.until_at < :now
RETURNING name"""  # noqa: S608 - of our own words
