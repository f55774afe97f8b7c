"""Queries about groups and who is in them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from kentongan.audience import Audience
from kentongan.clock import Micros
from kentongan.expansion import Stage
from kentongan.ids import AlertId, GroupId, new_id
from kentongan.recipient import Group
from ledger.dialect import insert_or_skip
from ledger.schema import alert_progress, alerts
from ledger.schema_people import group_members, groups, recipients

#: Ids in one statement; SQLite takes 32,766 parameters.
CHUNK = 1000


class GroupNameTakenError(Exception):
    """Another group has this name; the transaction has to be rolled back."""


async def add(db: AsyncConnection, *, name: str, title: str, now: int) -> Group | None:
    """Make an empty group. None: there is one of that name."""
    group_id = (await ensure(db, {name: title}, now)).get(name)
    return await get(db, group_id) if group_id else None


async def ensure(db: AsyncConnection, titles: Mapping[str, str], now: int) -> dict[str, GroupId]:
    """Make the groups that are missing, titles by name; return the ids of those made."""
    made = {name: GroupId(new_id("group")) for name in sorted(titles)}
    if not made:
        return {}
    rows = [
        {"id": key, "name": name, "title": titles[name], "created_at": now}
        for name, key in made.items()
    ]
    await db.execute(insert_or_skip(db, groups), rows)
    there = await ids_of(db, list(made))
    return {name: key for name, key in there.items() if made[name] == key}


async def ids_of(db: AsyncConnection, names: Collection[str]) -> dict[str, GroupId]:
    """Return the ids of those groups that there are, by name."""
    there: dict[str, GroupId] = {}
    for some in _chunks(list(names)):
        rows = await db.execute(select(groups.c.name, groups.c.id).where(groups.c.name.in_(some)))
        there.update((row.name, GroupId(row.id)) for row in rows)
    return there


async def get(db: AsyncConnection, group_id: str) -> Group | None:
    row = (await db.execute(_counted().where(groups.c.id == group_id))).one_or_none()
    return _group(row) if row else None


async def page(
    db: AsyncConnection, *, name: str | None = None, after: str = "", limit: int
) -> list[Group]:
    """Return groups by name, after the name `after`."""
    query = _counted().where(groups.c.name > after).order_by(groups.c.name).limit(limit)
    if name is not None:
        query = query.where(groups.c.name == name)
    return [_group(row) for row in await db.execute(query)]


def _counted() -> Select[Any]:
    members = (
        select(func.count())
        .select_from(group_members)
        .where(group_members.c.group_id == groups.c.id)
        .scalar_subquery()
    )
    return select(groups, members.label("members"))


def _group(row: Row[Any]) -> Group:
    return Group(
        id=GroupId(row.id),
        name=row.name,
        title=row.title,
        members=row.members,
        created_at=Micros(row.created_at),
    )


async def change(
    db: AsyncConnection, group_id: str, *, name: str | None, title: str | None
) -> Group | None:
    """Rename a group; None leaves a part as it is. Raises `GroupNameTakenError`.

    Alerts keep a group by its id: one that is scheduled follows the new name.
    """
    values = {"name": name, "title": title}
    given = {key: value for key, value in values.items() if value is not None}
    if given:
        try:
            await db.execute(update(groups).where(groups.c.id == group_id).values(given))
        except IntegrityError as error:
            raise GroupNameTakenError from error
    return await get(db, group_id)


async def remove(db: AsyncConnection, group_id: str) -> bool:
    """Delete a group; its people stay. False: there is no such group."""
    await db.execute(delete(group_members).where(group_members.c.group_id == group_id))
    gone = await db.execute(delete(groups).where(groups.c.id == group_id))
    return bool(gone.rowcount)


async def awaited_by(db: AsyncConnection, group_id: str) -> AlertId | None:
    """Return an alert that is still to be expanded over the group; there are few of those."""
    waiting = (
        select(alerts.c.id, alerts.c.audience)
        .join(alert_progress, alert_progress.c.alert_id == alerts.c.id)
        .where(
            alert_progress.c.closed_at.is_(None),
            alert_progress.c.stage != Stage.DONE,
            alerts.c.control != Control.STOPPED,
        )
    )
    for row in await db.execute(waiting):
        if group_id in Audience.from_json(row.audience).groups:
            return AlertId(row.id)
    return None


async def strangers(db: AsyncConnection, ids: Collection[str]) -> list[str]:
    """Return those of `ids` that are nobody's, or of somebody deleted, in the order given."""
    known: set[str] = set()
    for some in _chunks(list(ids)):
        rows = await db.execute(
            select(recipients.c.id).where(
                recipients.c.id.in_(some), recipients.c.deleted_at.is_(None)
            )
        )
        known.update(rows.scalars())
    return [one for one in dict.fromkeys(ids) if one not in known]


async def add_members(db: AsyncConnection, group_id: str, ids: Collection[str]) -> None:
    """Put people into a group; who is in it already stays."""
    rows = [{"group_id": group_id, "recipient_id": one} for one in sorted(set(ids))]
    for some in _chunks(rows):
        await db.execute(insert_or_skip(db, group_members), some)


async def set_members(db: AsyncConnection, group_id: str, ids: Collection[str]) -> None:
    """Make `ids` the people of a group."""
    mine = group_members.c.group_id == group_id
    there = set((await db.execute(select(group_members.c.recipient_id).where(mine))).scalars())
    for some in _chunks(sorted(there - set(ids))):
        await db.execute(delete(group_members).where(mine, group_members.c.recipient_id.in_(some)))
    await add_members(db, group_id, set(ids) - there)


async def remove_member(db: AsyncConnection, group_id: str, recipient_id: str) -> bool:
    """Take somebody out of a group. False: they were not in it."""
    gone = await db.execute(
        delete(group_members).where(
            group_members.c.group_id == group_id, group_members.c.recipient_id == recipient_id
        )
    )
    return bool(gone.rowcount)


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
