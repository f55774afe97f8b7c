"""Looking an audience up before it is accepted: what there is of it, and how many people it is."""

from collections.abc import Collection

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.audience import Audience
from kentongan.ids import GroupId
from ledger.audience_query import audience_recipients
from ledger.audiences import people_of
from ledger.schema import alert_people, alert_progress
from ledger.schema_people import group_members, groups, recipients

#: Whoever accepts an alert counts its people no further than this: an answer must not wait longer.
MOST_COUNTED = 10_000


async def groups_called(db: AsyncConnection, asked: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return (id, name) of those groups that there are, by what was asked: a name or an id."""
    rows = await db.execute(
        select(groups.c.id, groups.c.name).where(
            or_(groups.c.name.in_(asked), groups.c.id.in_(asked))
        )
    )
    found: dict[str, tuple[str, str]] = {}
    for row in rows:
        found |= {row.id: (row.id, row.name), row.name: (row.id, row.name)}
    return {one: found[one] for one in asked if one in found}


async def count_people(db: AsyncConnection, audience: Audience, most: int) -> int | None:
    """Return how many people an audience is now; None: more than `most`."""
    total = len(audience.points)
    queries: list[Select[tuple[str]]] = []
    if audience.groups or audience.recipients:
        queries.append(audience_recipients(audience.groups, audience.recipients))
    if audience.of is not None:
        named = audience_recipients(audience.groups, audience.recipients)
        whoever = alert_people.c.recipient_id
        once = or_(whoever.is_(None), whoever.not_in(named.with_only_columns(recipients.c.id)))
        queries.append(people_of(audience.of).where(once))
    for query in queries:
        if total > most:
            break
        some = query.limit(most + 1 - total).subquery()
        total += (await db.execute(select(func.count()).select_from(some))).scalar_one()
    return None if total > most else total


async def rough_size(db: AsyncConnection, audience: Audience) -> int:
    """Return about how many people an audience is: who is in two of its parts counts twice."""
    members = select(func.count()).where(group_members.c.group_id.in_(audience.groups))
    size = len(audience.points) + len(audience.recipients)
    size += (await db.execute(members)).scalar_one() if audience.groups else 0
    if audience.of is not None:
        earlier = select(alert_progress.c.people).where(
            alert_progress.c.alert_id == audience.of.alert
        )
        size += (await db.execute(earlier)).scalar_one_or_none() or 0
    return size


def group_ids(found: Collection[tuple[str, str]]) -> tuple[GroupId, ...]:
    """Return the ids of `groups_called`, each once."""
    return tuple(dict.fromkeys(GroupId(key) for key, _ in found))
