"""What was done about one thing, and by whom: rows of the audit for people to read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.schema_people import api_keys, audit
from ledger.schema_users import users


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A deed; `name` is that of the key or the user. Times in epoch microseconds."""

    id: str
    at: int
    actor: str
    name: str | None
    action: str
    detail: Mapping[str, Any]


async def about(db: AsyncConnection, subject: str, *, limit: int) -> list[Noted]:
    """Return what was done about `subject`, the latest first."""
    rows = await db.execute(
        select(audit, func.coalesce(api_keys.c.name, users.c.name).label("name"))
        .outerjoin(api_keys, api_keys.c.id == audit.c.actor)
        .outerjoin(users, users.c.id == audit.c.actor)
        .where(audit.c.subject == subject)
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    return [
        Noted(
            id=row.id,
            at=row.at,
            actor=row.actor,
            name=row.name,
            action=row.action,
            detail=row.detail,
        )
        for row in rows
    ]
