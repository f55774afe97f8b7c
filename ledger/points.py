"""Contact points that turned out to be dead: kept, shown, and no longer used."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.schema_people import contact_points


async def disable(db: AsyncConnection, channel: str, address: str, *, reason: str, now: int) -> int:
    """Take a contact point out of use, whoever has it; return how many were in use."""
    done = await db.execute(
        update(contact_points)
        .where(
            contact_points.c.channel == channel,
            contact_points.c.address == address,
            contact_points.c.disabled_at.is_(None),
        )
        .values(disabled_at=now, disabled_reason=reason)
    )
    return done.rowcount
