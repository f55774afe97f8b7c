"""A file is applied whole, once, by whoever gets there; a bad one leaves nothing."""

import asyncio

import pytest
from sqlalchemy import func, select

from kentongan.ids import new_id
from kentongan.recipient import Draft, ImportRow
from ledger import groups, imports, recipients
from ledger.engine import Ledger
from ledger.imports import ABANDONED, PAGE, STALLED, Applied, MovedMeanwhileError
from ledger.schema_people import import_rows
from ledger.schema_people import imports as import_table

NOW = 1_700_000_000_000_000
ME = new_id("key")


def row(number: int, **different: object) -> ImportRow:
    fields: dict[str, object] = {
        "name": f"Person {number}",
        "external_id": f"E{number}",
        "locale": "id",
        "points": {"sms": (f"+62812{number:07}",)},
        "groups": ("north",),
    }
    return ImportRow(**(fields | different))  # type: ignore[arg-type]  # a builder's defaults


async def ready(ledger: Ledger, rows: list[ImportRow], now: int = NOW) -> str:
    async with ledger.bulk() as db:
        import_id = await imports.start(db, made_by=ME, now=now)
        await imports.stage(db, import_id, rows, now)
        await imports.make_ready(db, import_id, now)
    return import_id


async def applied(ledger: Ledger, import_id: str) -> Applied:
    async with ledger.bulk() as db:
        return await imports.apply_page(db, import_id, NOW)


async def people(ledger: Ledger) -> int:
    seen, after = 0, None
    async with ledger.read() as db:
        while page := await recipients.page(db, after=after, limit=1000):
            seen, after = seen + len(page), (page[-1].search, page[-1].id)
    return seen


async def left_over(ledger: Ledger) -> int:
    async with ledger.read() as db:
        return int((await db.execute(select(func.count()).select_from(import_rows))).scalar_one())


async def test_pages_are_applied_until_none_is_left(ledger: Ledger) -> None:
    import_id = await ready(ledger, [row(n) for n in range(PAGE + 1)])

    first = await applied(ledger, import_id)
    second = await applied(ledger, import_id)
    third = await applied(ledger, import_id)

    assert first == Applied(created=PAGE, more=True)
    assert second == Applied(created=1)
    assert third == Applied()
    assert await people(ledger) == PAGE + 1
    assert await left_over(ledger) == 0
    async with ledger.read() as db:
        [north] = await groups.page(db, limit=9)
    assert (north.name, north.members) == ("north", PAGE + 1)


async def test_known_people_are_changed_where_the_file_has_a_column(ledger: Ledger) -> None:
    async with ledger.write() as db:
        south = await groups.add(db, name="south", title="", now=NOW)
        assert south
        ani = Draft(
            name="Ani",
            external_id="E1",
            locale="en",
            note="kept",
            points=(("sms", "+62811"), ("email", "ani@example.org")),
            groups=frozenset({south.id}),
        )
        await recipients.add(db, [ani], NOW)
    columns_absent = row(
        1, name="Ani Baru", locale=None, points={"sms": ("+62899", "+62898")}, groups=None
    )

    import_id = await ready(ledger, [columns_absent])
    assert await applied(ledger, import_id) == Applied(matched=1)

    async with ledger.read() as db:
        after = await recipients.get(db, ani.id)
    assert after
    assert (after.name, after.locale, after.note) == ("Ani Baru", "en", "kept")
    assert [point.point for point in after.contact_points] == [
        ("sms", "+62899"),
        ("sms", "+62898"),
        ("email", "ani@example.org"),
    ]
    assert list(after.groups) == ["south"]

    import_id = await ready(ledger, [row(1, points={"sms": (), "email": ()}, groups=())])
    await applied(ledger, import_id)

    async with ledger.read() as db:
        emptied = await recipients.get(db, ani.id)
    assert emptied
    assert (emptied.contact_points, dict(emptied.groups)) == ((), {})


async def test_a_file_imported_again_changes_nothing(ledger: Ledger) -> None:
    rows = [row(n) for n in range(10)]
    await applied(ledger, await ready(ledger, rows))

    again = await applied(ledger, await ready(ledger, rows))

    assert again == Applied(matched=10)
    assert await people(ledger) == 10


async def test_two_who_apply_at_once_apply_each_row_once(ledger: Ledger) -> None:
    import_id = await ready(ledger, [row(n, external_id=None) for n in range(3 * PAGE)])

    await asyncio.gather(*(imports.apply(ledger, import_id) for _ in range(3)))

    assert await people(ledger) == 3 * PAGE


async def test_housekeeping_finishes_what_was_left_and_leaves_what_moves(ledger: Ledger) -> None:
    now = await ledger.now()
    await ready(ledger, [row(n) for n in range(PAGE + 5)], now - STALLED - 1_000_000)
    await ready(ledger, [row(n) for n in range(500, 505)], now)

    assert await imports.finish(ledger) == 1

    assert await people(ledger) == PAGE + 5
    assert await imports.finish(ledger) == 0


async def test_what_was_staged_of_a_bad_file_goes(ledger: Ledger) -> None:
    async with ledger.bulk() as db:
        import_id = await imports.start(db, made_by=ME, now=NOW)
        await imports.stage(db, import_id, [row(n) for n in range(5)], NOW)

    assert await applied(ledger, import_id) == Applied()
    await imports.give_up(ledger, import_id)

    assert await left_over(ledger) == 0
    assert await people(ledger) == 0
    with pytest.raises(MovedMeanwhileError):
        async with ledger.bulk() as db:
            await imports.make_ready(db, import_id, NOW)


async def test_an_upload_that_its_process_did_not_survive_is_cleared_away(ledger: Ledger) -> None:
    now = await ledger.now()
    async with ledger.bulk() as db:
        old = await imports.start(db, made_by=ME, now=now - ABANDONED - 1_000_000)
        await imports.stage(db, old, [row(1)], now - ABANDONED - 1_000_000)
        fresh = await imports.start(db, made_by=ME, now=now)
        await imports.stage(db, fresh, [row(2)], now)

    assert await imports.finish(ledger) == 1

    async with ledger.read() as db:
        kept = (await db.execute(select(import_table.c.id))).scalars().all()
    assert kept == [fresh]


async def test_a_group_deleted_meanwhile_is_made_again(ledger: Ledger) -> None:
    import_id = await ready(ledger, [row(1)])
    async with ledger.write() as db:
        assert await groups.ids_of(db, ["north"]) == {}

    await applied(ledger, import_id)

    async with ledger.read() as db:
        assert set(await groups.ids_of(db, ["north"])) == {"north"}
