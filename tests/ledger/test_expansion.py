"""An audience becomes people and deliveries page by page: nobody twice, nobody lost."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from kentongan.audience import Audience, PastedPoint
from kentongan.clock import seconds
from kentongan.delivery import Cause
from kentongan.expansion import Point, Stage
from kentongan.outcome import Reason
from kentongan.recipient import Draft
from ledger import alerts, expansion, recipients, suppressions
from ledger.dialect import COPY_FROM
from ledger.engine import SERVICE_PATIENCE, Ledger, read_now
from ledger.expansion import PageRunTwiceError, PointTwiceError
from ledger.schema import alert_people, deliveries, delivery_people
from tests.fakes import asked
from tests.fakes.expanding import (
    FAMILY,
    TOLD,
    a_group,
    accepted,
    addressed,
    counted,
    expand_all,
    looked_up,
    stands,
    told,
    write,
)
from tests.fakes.ledgers import Ledgers
from tests.fakes.running import an_alert, expanded, tried


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_shared_address_gets_one_delivery_that_counts_for_both(
    ledger: Ledger, size: int
) -> None:
    alert = await accepted(ledger, Audience(groups=(await a_group(ledger, FAMILY),)))

    await expand_all(ledger, alert, size)

    assert await told(ledger, alert) == TOLD
    assert await addressed(ledger, alert) == [
        ("email", "siti@example.org"),
        ("sms", "+1"),
        ("sms", "+2"),
    ]
    assert await counted(ledger, alert) == (5, 3)


async def test_nobody_without_a_contact_point_is_forgotten(ledger: Ledger) -> None:
    alert = await accepted(ledger, Audience(groups=(await a_group(ledger, FAMILY),)))

    await expand_all(ledger, alert)

    async with ledger.read() as db:
        rows = await db.execute(
            select(alert_people.c.name, alert_people.c.cause).where(
                alert_people.c.cause.is_not(None)
            )
        )
        causes = {row.name: row.cause for row in rows}
    assert causes == {"Wati": Cause.NO_CONTACT_POINT, "Dewi": Cause.NO_POINT_ON_CHANNELS}


async def test_who_joins_a_group_later_is_not_of_this_alert(ledger: Ledger) -> None:
    group = await a_group(ledger, FAMILY)
    alert = await accepted(ledger, Audience(groups=(group,)))
    await expand_all(ledger, alert)

    async with ledger.write() as db:
        late = Draft(name="Eka", points=(("sms", "+9"),), groups=frozenset({group}))
        await recipients.add(db, [late], await read_now(db))
    await expand_all(ledger, alert)

    assert "Eka" not in await told(ledger, alert)


async def test_page_run_twice_rolls_back_whole(ledger: Ledger) -> None:
    alert = await accepted(ledger, Audience(groups=(await a_group(ledger, FAMILY),)))
    was = await stands(ledger, alert)
    while was.stage is not Stage.RECIPIENTS:
        await write(ledger, alert, was, await looked_up(ledger, alert, was, 2))
        was = await stands(ledger, alert)
    first, second = [await looked_up(ledger, alert, was, 2) for _ in range(2)]
    await write(ledger, alert, was, first)
    before = await told(ledger, alert)

    with pytest.raises(PageRunTwiceError):
        await write(ledger, alert, was, second)

    assert await told(ledger, alert) == before
    assert len(before) == 2
    await expand_all(ledger, alert)
    assert await told(ledger, alert) == TOLD


async def test_page_of_a_stopped_alert_is_not_written(ledger: Ledger) -> None:
    alert = await accepted(ledger, Audience(points=(PastedPoint(channel="sms", address="+1"),)))
    was = await stands(ledger, alert)
    page = await looked_up(ledger, alert, was, 2)
    await asked.stop(ledger, alert.id)

    with pytest.raises(PageRunTwiceError):
        await write(ledger, alert, was, page)

    assert await told(ledger, alert) == {}


@pytest.mark.parametrize("size", [2, COPY_FROM + 10])
async def test_page_that_meets_a_row_already_there_joins_it(ledger: Ledger, size: int) -> None:
    points = tuple(PastedPoint(channel="sms", address=f"+{n}") for n in range(size))
    alert = await accepted(ledger, Audience(points=points))
    was = await stands(ledger, alert)
    made = await looked_up(ledger, alert, was, size)
    # As if somebody had written one of its addresses since it was looked up.
    there = await asked.delivery(ledger, alert.id, address="+1", tries=())

    with pytest.raises(PointTwiceError):
        await write(ledger, alert, was, made)
    assert await told(ledger, alert) == {}
    await write(ledger, alert, was, await looked_up(ledger, alert, was, size))

    async with ledger.read() as db:
        links = select(func.count()).where(delivery_people.c.delivery_id == there)
        assert (await db.execute(links)).scalar_one() == 1
    assert len(await addressed(ledger, alert)) == size
    assert len(made[0].people) == size


async def test_suppressed_address_is_shown_as_such_and_its_person_is_not_lost(
    ledger: Ledger,
) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        await suppressions.suppress(
            db, "sms", "+1", reason=Reason.OPTED_OUT, made_by="recipient", now=now
        )
    alert = await accepted(ledger, Audience(groups=(await a_group(ledger, FAMILY),)))

    await expand_all(ledger, alert)

    assert await told(ledger, alert) == TOLD
    async with ledger.read() as db:
        rows = await db.execute(select(deliveries.c.address, deliveries.c.state))
        assert {row.address for row in rows if row.state == "suppressed"} == {"+1"}


async def test_original_is_quiet_once_no_attempt_is_open(ledger: Ledger) -> None:
    original = await expanded(ledger, {"Siti": [("sms", "+1")]})
    await tried(ledger, original.alert.id, original.delivery("+1"), outcome=None)
    async with ledger.read() as db:
        assert not await expansion.is_original_quiet(db, original.alert.id)

    other = await expanded(ledger, {"Siti": [("sms", "+1")]})

    async with ledger.read() as db:
        assert await expansion.is_original_quiet(db, other.alert.id)


async def test_expansion_is_due_by_the_ledgers_clock(ledger: Ledger, later: Ledger) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        alert = an_alert(now)
        await alerts.add(db, alert, expand_at=now + seconds(3600))

    assert not (await stands(ledger, alert)).due
    assert (await stands(later, alert)).due


pasted = st.lists(
    st.builds(
        PastedPoint,
        channel=st.sampled_from(["sms", "email"]),
        address=st.sampled_from(["a", "b", "c", "d"]),
    ),
    max_size=9,
)
known_people = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["sms", "email", "voice"]), st.sampled_from("abcdef")),
        max_size=3,
        unique=True,
    ),
    max_size=9,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(points=pasted, people=known_people, size=st.integers(1, 4))
async def test_small_pages_give_the_same_as_one_big(
    tmp_path: Path,
    ledgers: Ledgers,
    points: list[PastedPoint],
    people: list[list[Point]],
    size: int,
) -> None:
    url = await ledgers.fresh("sqlite", tmp_path)
    ledger = Ledger.open(url, patience=SERVICE_PATIENCE)
    try:
        named = {f"person {n}": own for n, own in enumerate(people)}
        group = await a_group(ledger, named)
        audience = Audience(groups=(group,), points=tuple(points))
        small, big = await accepted(ledger, audience), await accepted(ledger, audience)

        await expand_all(ledger, small, size)
        await expand_all(ledger, big)

        assert await told(ledger, small) == await told(ledger, big)
        assert await addressed(ledger, small) == await addressed(ledger, big)
        assert await counted(ledger, small) == await counted(ledger, big)
        assert (await counted(ledger, small))[0] == len(points) + len(people)
    finally:
        await ledger.close()
        for left in tmp_path.glob("ledger.db-*"):
            left.unlink()
