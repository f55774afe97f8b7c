"""The last look before the first byte: what was stopped, paused or opted out since the claim."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from ledger.dialect import among
from ledger.schema import alerts
from ledger.schema_people import suppressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """Those of the asked that may not go out."""

    stopped: frozenset[str]
    paused: frozenset[str]
    suppressed: frozenset[tuple[str, str]]


async def barred(
    db: AsyncConnection, ids: Sequence[str], points: Sequence[tuple[str, str]]
) -> Barred:
    """Return which of these alerts are stopped or paused, which of these points suppressed."""
    held = (
        await db.execute(
            select(alerts.c.id, alerts.c.control).where(
                alerts.c.id.in_(ids), alerts.c.control != Control.ACTIVE
            )
        )
    ).all()
    opted_out = await db.execute(
        select(suppressions.c.channel, suppressions.c.address).where(
            suppressions.c.lifted_at.is_(None),
            among(db, suppressions.c.address, {address for _, address in points}),
        )
    )
    return Barred(
        stopped=frozenset(row.id for row in held if row.control == Control.STOPPED),
        paused=frozenset(row.id for row in held if row.control == Control.PAUSED),
        suppressed=frozenset((row.channel, row.address) for row in opted_out),
    )
