"""Queries about people and their contact points, one person or a page of them at a time."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, exists, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import Micros
from kentongan.ids import GroupId, PointId, RecipientId, new_id
from kentongan.recipient import ContactPoint, Draft, Recipient
from kentongan.search import prefix_range, searchable
from ledger.dialect import insert_many, is_postgresql
from ledger.schema_people import contact_points, group_members, groups, recipients

#: Where a page of the list ended: the searchable name and the id of its last.
Cursor = tuple[str, str]


class ExternalIdTakenError(Exception):
    """Somebody else bears this external id; the transaction has to be rolled back."""


async def add(db: AsyncConnection, drafts: Sequence[Draft], now: int) -> None:
    """Write new people down, in three statements however many they are.

    Raises `ExternalIdTakenError`.
    """
    rows = [_row(draft) | {"created_at": now, "updated_at": now} for draft in drafts]
    await _guarded(insert_many(db, recipients, rows))
    await insert_many(db, contact_points, [row for draft in drafts for row in _points_of(draft)])
    await insert_many(db, group_members, [row for draft in drafts for row in _memberships(draft)])


async def save(db: AsyncConnection, drafts: Sequence[Draft], now: int) -> None:
    """Make people as their drafts want them. Contact points that stay keep their id and state.

    Whoever is deleted is left alone. Raises `ExternalIdTakenError`.
    """
    there = await several(db, [draft.id for draft in drafts], lock=True)
    living = [draft for draft in drafts if draft.id in there]
    rows = [{f"new_{key}": value for key, value in _row(draft).items()} for draft in living]
    if not rows:
        return
    # One prepared statement, sent with all rows at once on either engine.
    saving = update(recipients).where(recipients.c.id == bindparam("new_id"))
    columns: dict[str, Any] = {
        key: bindparam(f"new_{key}") for key in _row(living[0]) if key != "id"
    }
    await _guarded(db.execute(saving.values(columns | {"updated_at": now}), rows))
    await _save_points(db, living)
    await _save_groups(db, living)


async def _guarded(writing: Any) -> Any:
    try:
        return await writing
    except IntegrityError as error:
        raise ExternalIdTakenError from error


def _row(draft: Draft) -> dict[str, Any]:
    return {
        "id": draft.id,
        "name": draft.name,
        "search": searchable(draft.name),
        "locale": draft.locale,
        "external_id": draft.external_id,
        "note": draft.note,
    }


def _points_of(draft: Draft) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id("point"),
            "recipient_id": draft.id,
            "channel": channel,
            "address": address,
            "rank": rank,
        }
        for rank, (channel, address) in enumerate(draft.points)
    ]


def _memberships(draft: Draft) -> list[dict[str, Any]]:
    return [{"group_id": group, "recipient_id": draft.id} for group in sorted(draft.groups)]


async def _save_points(db: AsyncConnection, drafts: Sequence[Draft]) -> None:
    wanted = {
        (row["recipient_id"], row["channel"], row["address"]): row
        for draft in drafts
        for row in _points_of(draft)
    }
    there = {
        (row.recipient_id, row.channel, row.address): row
        for row in await _points(db, [draft.id for draft in drafts])
    }
    gone = [row.id for key, row in there.items() if key not in wanted]
    if gone:
        await db.execute(delete(contact_points).where(contact_points.c.id.in_(gone)))
    await insert_many(db, contact_points, [row for key, row in wanted.items() if key not in there])
    moved = [
        {"point": there[key].id, "place": row["rank"]}
        for key, row in wanted.items()
        if key in there and there[key].rank != row["rank"]
    ]
    if moved:
        placing = update(contact_points).where(contact_points.c.id == bindparam("point"))
        await db.execute(placing.values(rank=bindparam("place")), moved)


async def _save_groups(db: AsyncConnection, drafts: Sequence[Draft]) -> None:
    wanted = {(group, draft.id) for draft in drafts for group in draft.groups}
    rows = await _groups_of(db, [draft.id for draft in drafts])
    there = {(GroupId(row.id), RecipientId(row.recipient_id)) for row in rows}
    gone = there - wanted
    if gone:
        pair = tuple_(group_members.c.group_id, group_members.c.recipient_id)
        await db.execute(delete(group_members).where(pair.in_(sorted(gone))))
    new = [{"group_id": group, "recipient_id": who} for group, who in sorted(wanted - there)]
    await insert_many(db, group_members, new)


async def get(db: AsyncConnection, recipient_id: str, *, lock: bool = False) -> Recipient | None:
    """Return somebody who was not deleted. `lock` holds off other changes until the commit."""
    return (await several(db, [recipient_id], lock=lock)).get(RecipientId(recipient_id))


async def several(
    db: AsyncConnection, ids: Collection[str], *, lock: bool = False
) -> dict[RecipientId, Recipient]:
    """Return those of `ids` that there are; at most some thousand are asked for."""
    query = _living().where(recipients.c.id.in_(ids))
    if lock and is_postgresql(db):
        query = query.order_by(recipients.c.id).with_for_update()
    return {found.id: found for found in await _whole(db, query)}


async def by_external_id(
    db: AsyncConnection, external_ids: Collection[str], *, lock: bool = False
) -> dict[str, Recipient]:
    """Return people by the caller's own names for them."""
    query = _living().where(recipients.c.external_id.in_(external_ids))
    if lock and is_postgresql(db):
        query = query.order_by(recipients.c.id).with_for_update()
    return {found.external_id: found for found in await _whole(db, query) if found.external_id}


async def known_external_ids(db: AsyncConnection, external_ids: Collection[str]) -> set[str]:
    """Return those of `external_ids` that somebody bears."""
    rows = await db.execute(
        select(recipients.c.external_id).where(
            recipients.c.external_id.in_(external_ids), recipients.c.deleted_at.is_(None)
        )
    )
    return set(rows.scalars())


async def page(
    db: AsyncConnection,
    *,
    prefix: str = "",
    group: str | None = None,
    channel: str | None = None,
    external_id: str | None = None,
    after: Cursor | None = None,
    limit: int,
) -> list[Recipient]:
    """Return people by name, from `after` on; `prefix` begins their name in any spelling."""
    query = _living().order_by(recipients.c.search, recipients.c.id).limit(limit)
    if wanted := searchable(prefix):
        first, last = prefix_range(wanted)
        query = query.where(recipients.c.search >= first, recipients.c.search <= last)
    if group is not None:
        query = query.where(
            exists().where(
                group_members.c.recipient_id == recipients.c.id, group_members.c.group_id == group
            )
        )
    if channel is not None:
        query = query.where(
            exists().where(
                contact_points.c.recipient_id == recipients.c.id,
                contact_points.c.channel == channel,
            )
        )
    if external_id is not None:
        query = query.where(recipients.c.external_id == external_id)
    if after is not None:
        query = query.where(tuple_(recipients.c.search, recipients.c.id) > after)
    return await _whole(db, query)


def _living() -> Select[Any]:
    return select(recipients).where(recipients.c.deleted_at.is_(None))


async def _whole(db: AsyncConnection, query: Select[Any]) -> list[Recipient]:
    """Run a query of `recipients` and bring everything that belongs to its rows."""
    found = (await db.execute(query)).all()
    ids = [row.id for row in found]
    points: dict[str, list[ContactPoint]] = defaultdict(list)
    for row in await _points(db, ids):
        points[row.recipient_id].append(_point(row))
    names: dict[str, dict[str, GroupId]] = defaultdict(dict)
    for row in await _groups_of(db, ids):
        names[row.recipient_id][row.name] = GroupId(row.id)
    return [_recipient(row, tuple(points[row.id]), names[row.id]) for row in found]


async def _points(db: AsyncConnection, ids: Sequence[str]) -> Sequence[Row[Any]]:
    if not ids:
        return []
    chosen = select(contact_points).where(contact_points.c.recipient_id.in_(ids))
    return (await db.execute(chosen.order_by(contact_points.c.rank, contact_points.c.id))).all()


async def _groups_of(db: AsyncConnection, ids: Sequence[str]) -> Sequence[Any]:
    if not ids:
        return []
    chosen = (
        select(group_members.c.recipient_id, groups.c.id, groups.c.name)
        .join(groups, groups.c.id == group_members.c.group_id)
        .where(group_members.c.recipient_id.in_(ids))
        .order_by(groups.c.name)
    )
    return (await db.execute(chosen)).all()


def _point(row: Row[Any]) -> ContactPoint:
    disabled = row.disabled_at is not None
    return ContactPoint(
        id=PointId(row.id),
        channel=row.channel,
        address=row.address,
        disabled_reason=(row.disabled_reason or "") if disabled else None,
    )


def _recipient(
    row: Row[Any], points: tuple[ContactPoint, ...], groups: dict[str, GroupId]
) -> Recipient:
    return Recipient(
        id=RecipientId(row.id),
        name=row.name,
        search=row.search,
        locale=row.locale,
        external_id=row.external_id,
        note=row.note,
        contact_points=points,
        groups=groups,
        created_at=Micros(row.created_at),
        updated_at=Micros(row.updated_at),
    )


async def remove(db: AsyncConnection, recipient_id: str, now: int) -> bool:
    """Take somebody out of reach and out of all lists. False: there is nobody of that id.

    Their row stays, so that an id in an old alert still means one person; alerts have their own
    copies of name and address.
    """
    removed = await db.execute(
        update(recipients)
        .where(recipients.c.id == recipient_id, recipients.c.deleted_at.is_(None))
        .values(deleted_at=now, updated_at=now, external_id=None, note="")
    )
    if not removed.rowcount:
        return False
    mine = contact_points.c.recipient_id == recipient_id
    await db.execute(delete(contact_points).where(mine))
    await db.execute(delete(group_members).where(group_members.c.recipient_id == recipient_id))
    return True
