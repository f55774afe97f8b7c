"""People keep what is theirs, are found by any spelling, and leave when they are asked to."""

from dataclasses import replace

import pytest

from kentongan.recipient import Draft
from ledger import groups, recipients
from ledger.engine import Ledger
from ledger.recipients import ExternalIdTakenError

NOW = 1_700_000_000_000_000


async def put(ledger: Ledger, *drafts: Draft) -> None:
    async with ledger.write() as db:
        await recipients.add(db, drafts, NOW)


async def found(ledger: Ledger, prefix: str) -> list[str]:
    async with ledger.read() as db:
        return [one.name for one in await recipients.page(db, prefix=prefix, limit=10)]


async def test_someone_comes_back_as_they_were_written_down(ledger: Ledger) -> None:
    async with ledger.write() as db:
        north = await groups.add(db, name="north", title="", now=NOW)
    assert north
    points = (("sms", "+628121111111"), ("email", "siti@example.org"), ("sms", "+628122222222"))
    siti = Draft(
        name="Siti Nurhàliza",
        locale="id",
        external_id="E1",
        note="deaf in one ear",
        points=points,
        groups=frozenset({north.id}),
    )

    await put(ledger, siti)

    async with ledger.read() as db:
        back = await recipients.get(db, siti.id)
    assert back
    assert Draft.of(back) == siti
    assert dict(back.groups) == {"north": north.id}
    assert (back.created_at, back.updated_at) == (NOW, NOW)


async def test_names_are_found_by_how_they_begin_in_any_spelling(ledger: Ledger) -> None:
    names = ["Ånge Öst", "ange vast", "Angela", "Budi", "100% Budi", "ANGGUN"]
    await put(ledger, *(Draft(name=name) for name in names))

    assert await found(ledger, "ange") == ["Ånge Öst", "ange vast", "Angela"]
    assert await found(ledger, " ÂNGE  O") == ["Ånge Öst"]
    assert await found(ledger, "%") == []
    assert await found(ledger, "100%") == ["100% Budi"]
    assert await found(ledger, "' OR 1=1 --") == []
    assert len(await found(ledger, "")) == len(names)


async def test_pages_show_everyone_once_though_names_repeat(ledger: Ledger) -> None:
    everyone = [Draft(name=name) for name in ("Budi",) * 5 + ("Ani", "Cahya")]
    await put(ledger, *everyone)

    seen: list[str] = []
    after = None
    async with ledger.read() as db:
        while page := await recipients.page(db, after=after, limit=2):
            seen += [one.id for one in page]
            after = (page[-1].search, page[-1].id)

    assert len(seen) == len(everyone)
    assert set(seen) == {one.id for one in everyone}


async def test_pages_can_be_narrowed_to_a_group_or_a_channel(ledger: Ledger) -> None:
    async with ledger.write() as db:
        north = await groups.add(db, name="north", title="", now=NOW)
        assert north
        ani = Draft(name="Ani", groups=frozenset({north.id}))
        budi = Draft(name="Budi", points=(("email", "b@example.org"),))
        await recipients.add(db, [ani, budi], NOW)

        in_north = await recipients.page(db, group=north.id, limit=10)
        by_email = await recipients.page(db, channel="email", limit=10)

    assert [one.name for one in in_north] == ["Ani"]
    assert [one.name for one in by_email] == ["Budi"]


async def test_a_contact_point_that_stays_keeps_its_id_and_its_place_may_change(
    ledger: Ledger,
) -> None:
    sms, mail, hook = ("sms", "+628121111111"), ("email", "a@example.org"), ("webhook", "https://x")
    ani = Draft(name="Ani", points=(sms, mail))
    await put(ledger, ani)
    async with ledger.read() as db:
        before = await recipients.get(db, ani.id)

    async with ledger.write() as db:
        await recipients.save(db, [replace(ani, name="Ani B.", points=(hook, sms))], NOW + 1)

    async with ledger.read() as db:
        after = await recipients.get(db, ani.id)
    assert before
    assert after
    assert [point.point for point in after.contact_points] == [hook, sms]
    assert after.contact_points[1].id == before.contact_points[0].id
    assert (after.name, after.search, after.updated_at) == ("Ani B.", "ani b.", NOW + 1)


async def test_an_external_id_belongs_to_one_living_person(ledger: Ledger) -> None:
    ani = Draft(name="Ani", external_id="E1")
    budi = Draft(name="Budi", external_id="E2")
    await put(ledger, ani, budi)

    with pytest.raises(ExternalIdTakenError):
        await put(ledger, Draft(name="Ani again", external_id="E1"))
    with pytest.raises(ExternalIdTakenError):
        async with ledger.write() as db:
            await recipients.save(db, [replace(budi, external_id="E1")], NOW)

    async with ledger.write() as db:
        assert await recipients.remove(db, ani.id, NOW)
    await put(ledger, Draft(name="The next Ani", external_id="E1"))
    async with ledger.read() as db:
        holders = await recipients.by_external_id(db, ["E1", "E2", "E3"])
    assert {key: one.name for key, one in holders.items()} == {"E1": "The next Ani", "E2": "Budi"}


async def test_who_is_deleted_is_out_of_reach_and_of_every_list(ledger: Ledger) -> None:
    async with ledger.write() as db:
        north = await groups.add(db, name="north", title="", now=NOW)
        assert north
        ani = Draft(name="Ani", points=(("sms", "+628121"),), groups=frozenset({north.id}))
        await recipients.add(db, [ani], NOW)

        assert await recipients.remove(db, ani.id, NOW + 1)

        assert not await recipients.remove(db, ani.id, NOW + 2)
        assert await recipients.get(db, ani.id) is None
        assert await recipients.page(db, limit=10) == []
        assert await recipients.page(db, channel="sms", limit=10) == []
        again = await groups.get(db, north.id)
        assert again
        assert again.members == 0
        await recipients.save(db, [replace(ani, name="Ghost")], NOW + 3)
        assert await recipients.page(db, limit=10) == []


async def test_two_people_may_share_a_phone(ledger: Ledger) -> None:
    phone = (("sms", "+628121111111"),)

    await put(ledger, Draft(name="Ani", points=phone), Draft(name="Budi", points=phone))

    async with ledger.read() as db:
        assert len(await recipients.page(db, channel="sms", limit=10)) == 2


async def test_a_thousand_people_are_written_in_one_transaction(ledger: Ledger) -> None:
    crowd = [Draft(name=f"P{n}", points=(("sms", f"+62812{n:07}"),)) for n in range(1000)]

    await put(ledger, *crowd)
    async with ledger.write() as db:
        await recipients.save(db, [replace(one, locale="en") for one in crowd], NOW)

    async with ledger.read() as db:
        back = await recipients.several(db, [one.id for one in crowd])
    assert len(back) == 1000
    assert {one.locale for one in back.values()} == {"en"}
