"""Forgetting what is over: the leases of workers long gone."""

from sqlalchemy import delete, exists
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from ledger.dialect import db_now
from ledger.schema import attempts, incarnations

#: Seconds that a lapsed lease is kept for people who look why.
_KEPT = 24 * 3600


async def forget_workers(db: AsyncConnection) -> None:
    """Delete lapsed leases; an attempt that is open keeps its worker's."""
    still_open = exists().where(
        attempts.c.worker == incarnations.c.id, attempts.c.outcome.is_(None)
    )
    await db.execute(
        delete(incarnations).where(incarnations.c.until_at < db_now() - seconds(_KEPT), ~still_open)
    )
