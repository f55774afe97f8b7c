"""Queries about contact points that must not be written to."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import Micros
from kentongan.delivery import Work
from kentongan.ids import new_id
from kentongan.outcome import Reason
from kentongan.recipient import Suppression
from ledger.dialect import insert_or_skip
from ledger.schema import deliveries
from ledger.schema_people import suppressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """What `suppress` did: `is_new` is false where the address was suppressed already."""

    suppression: Suppression
    is_new: bool
    ended: int  # deliveries that waited and will not be sent


async def suppress(
    db: AsyncConnection, channel: str, address: str, *, reason: str, made_by: str, now: int
) -> Suppressed:
    """Keep a contact point from being written to, and end what waits for it. Idempotent.

    The suppression is inserted before the deliveries are moved, each in its own statement: a claim
    that started before the commit either had its rows locked, and they are left to it, or finds
    them moved; one that starts later sees the suppression. What is attempted right now ends as it
    ends; should it come back to wait, the sweep moves it.
    """
    suppression_id = new_id("suppression")
    await db.execute(
        insert_or_skip(db, suppressions).values(
            id=suppression_id,
            channel=channel,
            address=address,
            reason=reason,
            made_by=made_by,
            made_at=now,
        )
    )
    there = await in_force(db, channel, address)
    if there is None:  # lifted by somebody between the two statements: ours comes after theirs
        return await suppress(db, channel, address, reason=reason, made_by=made_by, now=now)
    moved = await db.execute(
        update(deliveries)
        .where(
            deliveries.c.channel == channel,
            deliveries.c.address == address,
            deliveries.c.work.in_((Work.PENDING, Work.RETRY_WAIT)),
        )
        .values(
            work=Work.SUPPRESSED,
            reason=func.coalesce(deliveries.c.reason, Reason.SUPPRESSED),
            due_at=None,
        )
    )
    return Suppressed(
        suppression=there, is_new=there.id == suppression_id, ended=int(moved.rowcount)
    )


async def in_force(db: AsyncConnection, channel: str, address: str) -> Suppression | None:
    """Return the suppression of a contact point, None if it may be written to."""
    query = select(suppressions).where(
        suppressions.c.channel == channel,
        suppressions.c.address == address,
        suppressions.c.lifted_at.is_(None),
    )
    row = (await db.execute(query)).one_or_none()
    return _suppression(row) if row else None


async def lift(
    db: AsyncConnection, suppression_id: str, *, reason: str, by: str, now: int
) -> Suppression | None:
    """Let a contact point be written to again. None: not in force.

    What was ended stays ended; the next alert finds the address usable.
    """
    lifted = await db.execute(
        update(suppressions)
        .where(suppressions.c.id == suppression_id, suppressions.c.lifted_at.is_(None))
        .values(lifted_at=now, lifted_by=by, lifted_reason=reason)
        .returning(suppressions)
    )
    row = lifted.one_or_none()
    return _suppression(row) if row else None


async def get(db: AsyncConnection, suppression_id: str) -> Suppression | None:
    query = select(suppressions).where(suppressions.c.id == suppression_id)
    row = (await db.execute(query)).one_or_none()
    return _suppression(row) if row else None


async def page(
    db: AsyncConnection,
    *,
    channel: str | None = None,
    address: str | None = None,
    is_in_force: bool | None = None,
    before: str | None = None,
    limit: int,
) -> list[Suppression]:
    """Return suppressions, the newest first, from before the id `before`."""
    query = select(suppressions).order_by(suppressions.c.id.desc()).limit(limit)
    if channel is not None:
        query = query.where(suppressions.c.channel == channel)
    if address is not None:
        query = query.where(suppressions.c.address == address)
    if is_in_force is not None:
        open_end = suppressions.c.lifted_at.is_(None)
        query = query.where(open_end if is_in_force else ~open_end)
    if before is not None:
        query = query.where(suppressions.c.id < before)
    return [_suppression(row) for row in await db.execute(query)]


def _suppression(row: Row[Any]) -> Suppression:
    lifted = row.lifted_at is not None
    return Suppression(
        id=row.id,
        channel=row.channel,
        address=row.address,
        reason=row.reason,
        made_by=row.made_by,
        made_at=Micros(row.made_at),
        lifted_at=Micros(row.lifted_at) if lifted else None,
        lifted_by=row.lifted_by,
        lifted_reason=row.lifted_reason,
    )
