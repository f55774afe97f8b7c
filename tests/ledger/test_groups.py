"""Groups have one name each, and count who is in them."""

import pytest

from kentongan.ids import RecipientId
from kentongan.recipient import Draft, Group
from ledger import groups, recipients
from ledger.engine import Ledger
from ledger.groups import GroupNameTakenError

NOW = 1_700_000_000_000_000


async def made(ledger: Ledger, name: str = "north") -> Group:
    async with ledger.write() as db:
        group = await groups.add(db, name=name, title=name.title(), now=NOW)
    assert group
    return group


async def crowd(ledger: Ledger, size: int) -> list[RecipientId]:
    people = [Draft(name=f"P{n}") for n in range(size)]
    async with ledger.write() as db:
        await recipients.add(db, people, NOW)
    return [one.id for one in people]


async def size_of(ledger: Ledger, group: Group) -> int:
    async with ledger.read() as db:
        there = await groups.get(db, group.id)
    assert there
    return there.members


async def test_a_name_is_given_once(ledger: Ledger) -> None:
    north, south = await made(ledger), await made(ledger, "south")

    async with ledger.write() as db:
        assert await groups.add(db, name="north", title="Another", now=NOW) is None
    with pytest.raises(GroupNameTakenError):
        async with ledger.write() as db:
            await groups.change(db, south.id, name="north", title=None)
    async with ledger.write() as db:
        renamed = await groups.change(db, south.id, name="southern", title=None)

    assert renamed
    assert (renamed.name, renamed.title) == ("southern", "South")
    async with ledger.read() as db:
        assert await groups.ids_of(db, ["north", "south", "southern"]) == {
            "north": north.id,
            "southern": south.id,
        }


async def test_members_are_added_replaced_and_taken_out(ledger: Ledger) -> None:
    north = await made(ledger)
    a, b, c = await crowd(ledger, 3)

    async with ledger.write() as db:
        await groups.add_members(db, north.id, [a, b, a])
        await groups.add_members(db, north.id, [b])
    assert await size_of(ledger, north) == 2

    async with ledger.write() as db:
        await groups.set_members(db, north.id, [b, c])
    async with ledger.read() as db:
        assert {one.id for one in await recipients.page(db, group=north.id, limit=9)} == {b, c}

    async with ledger.write() as db:
        assert await groups.remove_member(db, north.id, b)
        assert not await groups.remove_member(db, north.id, b)
    assert await size_of(ledger, north) == 1


async def test_large_groups_are_no_trouble(ledger: Ledger) -> None:
    north = await made(ledger)
    everyone = await crowd(ledger, 2500)

    async with ledger.write() as db:
        await groups.set_members(db, north.id, everyone)
    assert await size_of(ledger, north) == 2500

    async with ledger.write() as db:
        await groups.set_members(db, north.id, everyone[:10])
    assert await size_of(ledger, north) == 10


async def test_strangers_are_named(ledger: Ledger) -> None:
    known, gone = await crowd(ledger, 2)
    async with ledger.write() as db:
        await recipients.remove(db, gone, NOW)

        assert await groups.strangers(db, ["rcp_x", known, gone]) == ["rcp_x", gone]


async def test_a_deleted_group_leaves_its_people(ledger: Ledger) -> None:
    north = await made(ledger)
    [someone] = await crowd(ledger, 1)
    async with ledger.write() as db:
        await groups.add_members(db, north.id, [someone])

        assert await groups.remove(db, north.id)
        assert not await groups.remove(db, north.id)

        assert await groups.get(db, north.id) is None
        assert await recipients.get(db, someone)


async def test_pages_go_by_name(ledger: Ledger) -> None:
    for name in ("west", "east", "north"):
        await made(ledger, name)

    async with ledger.read() as db:
        first = await groups.page(db, limit=2)
        rest = await groups.page(db, after=first[-1].name, limit=2)

    assert [group.name for group in (*first, *rest)] == ["east", "north", "west"]


async def test_missing_groups_are_made_at_once_and_known_ones_left(ledger: Ledger) -> None:
    await made(ledger, "north")

    async with ledger.write() as db:
        new = await groups.ensure(db, {"north": "x", "south": "South"}, NOW)

        assert set(new) == {"south"}
        assert [group.title for group in await groups.page(db, limit=9)] == ["North", "South"]
