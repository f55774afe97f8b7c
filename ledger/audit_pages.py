"""The audit as it is read out: all deeds, the oldest first, each with its link."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import first_id
from ledger.schema_people import audit, audit_chain

#: Seconds by which the clock of a process that makes ids may be behind the ledger's.
_APART = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A deed with its link, if it has one yet. Times in epoch microseconds."""

    id: str
    at: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    seq: int | None
    mac: str | None


async def page(db: AsyncConnection, *, after: str = "", since: int = 0, limit: int) -> list[Told]:
    """Return deeds done from `since` on, those behind the id `after`, the oldest first."""
    from_id = first_id("audit", (since - seconds(_APART)) // 1000)  # so that an index serves
    rows = await db.execute(
        select(audit, audit_chain.c.seq, audit_chain.c.mac)
        .outerjoin(audit_chain, audit_chain.c.audit_id == audit.c.id)
        .where(audit.c.id > max(after, from_id), audit.c.at >= since)
        .order_by(audit.c.id)
        .limit(limit)
    )
    return [
        Told(
            id=row.id,
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
            seq=row.seq,
            mac=row.mac,
        )
        for row in rows
    ]
