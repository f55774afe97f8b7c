"""Two accounts carry one channel: one fails, traffic moves and comes back, nothing is doubled."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kentongan.circuit import Circuit
from kentongan.delivery import Work
from ledger import providers, senders
from ledger.engine import Ledger
from tests.fakes import asked
from tests.fakes.accounts import MAIN, SECOND, Accounts, two_accounts
from tests.fakes.ledgers import Ledgers
from tests.fakes.running import Running, expanded
from tests.fakes.sending import landed, rows, works
from tests.fakes.valkey import PrivateValkey
from workers.housekeeping import refresh
from workers.settler import settle_due
from workers.turn import send_some


@pytest.fixture(scope="module")
def valkey() -> Iterator[PrivateValkey]:
    with PrivateValkey() as running:
        yield running


@pytest.fixture
def redis(valkey: PrivateValkey) -> str:
    """The URL of an empty Valkey."""
    valkey.flush()
    return valkey.url


@pytest.fixture
async def url(ledgers: Ledgers, tmp_path: Path) -> str:
    return await ledgers.fresh("sqlite", tmp_path)


@pytest.fixture
async def both(url: str, redis: str) -> AsyncIterator[Accounts]:
    async with two_accounts(url, redis) as opened:
        yield opened


@pytest.fixture
async def leaning(url: str, redis: str) -> AsyncIterator[Accounts]:
    """Two accounts of which the first is as good as always drawn, as long as it is well."""
    async with two_accounts(url, redis, shares=(99, 1)) as opened:
        yield opened


def number(n: int) -> str:
    return f"+62812{3_002_000 + n}"


async def crowd(ledger: Ledger, count: int, first: int = 0) -> Running:
    people = {f"person {n}": [("sms", number(n))] for n in range(first, first + count)}
    return await expanded(ledger, people, channels=("sms",))


async def test_traffic_is_shared_out_and_nobody_is_told_twice(both: Accounts) -> None:
    first = 0
    async with asyncio.timeout(120):
        while not (await both.sent(both.main) and await both.sent(both.second)):
            await both.flow(await crowd(both.run.ledger, 30, first=first))
            first += 30

    assert await both.told() == {number(n): 1 for n in range(first)}


@pytest.mark.parametrize("fail", ["401", "403"])
async def test_account_that_is_refused_is_set_aside_and_the_other_carries_all(
    leaning: Accounts, fail: str
) -> None:
    await leaning.main.switch(fail=fail)
    running = await crowd(leaning.run.ledger, 40)

    await leaning.flow(running)

    assert await leaning.sent(leaning.second) == {number(n): 1 for n in range(40)}
    assert not await leaning.sent(leaning.main)
    assert (await leaning.standing("main")).circuit is Circuit.OPEN
    assert {row.tries for row in await rows(leaning.run.ledger, running)} == {1}


async def test_account_that_is_well_again_is_tried_by_one_message_and_begins_with_one_step(
    leaning: Accounts,
) -> None:
    await leaning.main.switch(fail="401")
    await leaning.flow(await crowd(leaning.run.ledger, 40))
    await leaning.main.switch(fail=None)

    await leaning.probed()
    assert (await leaning.standing("main")).circuit is Circuit.HALF_OPEN
    told = 40
    async with asyncio.timeout(120):
        while (await leaning.standing("main")).circuit is Circuit.HALF_OPEN:
            await leaning.flow(await crowd(leaning.run.ledger, 5, first=told))
            told += 5

    main = await leaning.standing("main")
    assert (main.circuit, main.share) == (Circuit.CLOSED, 10)
    assert await leaning.sent(leaning.main)
    assert await leaning.told() == {number(n): 1 for n in range(told)}


async def test_probe_of_an_account_that_still_fails_leaves_it_aside(leaning: Accounts) -> None:
    await leaning.main.switch(fail="401")
    await leaning.flow(await crowd(leaning.run.ledger, 40))

    await leaning.probed()

    assert (await leaning.standing("main")).circuit is Circuit.OPEN


@pytest.mark.parametrize("fail", ["500", "503", "close"])
async def test_account_through_which_nothing_gets_is_set_aside_and_nothing_is_doubled(
    leaning: Accounts, fail: str
) -> None:
    await leaning.main.switch(fail=fail)
    running = await crowd(leaning.run.ledger, 40)

    async with asyncio.timeout(120):
        while (await leaning.standing("main")).circuit is Circuit.CLOSED:
            await leaning.flow_once(running)
    await leaning.main.switch(fail=None)
    await landed(leaning.run)
    for seconds in (5, 30, 60, 100, 140):
        async with leaning.later(seconds) as then:
            while await settle_due(then.run):
                pass
    async with leaning.later(200) as then:
        await then.flow(running)

    assert await leaning.told() == {number(n): 1 for n in range(40)}
    assert "nothing handed over" in (await leaning.standing("main")).detail


async def test_where_all_are_set_aside_what_is_due_waits_and_no_try_is_spent(
    both: Accounts,
) -> None:
    for one in (both.main, both.second):
        await one.switch(fail="401")
    running = await crowd(both.run.ledger, 30)
    async with asyncio.timeout(120):
        while (await both.standing("second")).circuit is Circuit.CLOSED or (
            await both.standing("main")
        ).circuit is Circuit.CLOSED:
            await both.flow_once(running)
    await landed(both.run)

    wait = await send_some(both.run, running.alert.id, "sms")

    assert wait is None or wait >= 1
    assert set(await works(both.run.ledger, running)) <= {Work.PENDING, Work.RETRY_WAIT}
    assert {row.tries for row in await rows(both.run.ledger, running)} == {0}


async def test_person_who_answered_is_written_to_from_the_sender_they_know(
    both: Accounts,
) -> None:
    async with both.run.ledger.write() as db:
        for n in range(5):
            await senders.wrote(db, "sms", number(n), provider="second", to=SECOND)
    await refresh(both.run)

    await both.flow(await crowd(both.run.ledger, 10))

    heard = [await both.to(number(n)) for n in range(5)]
    assert heard == [[SECOND]] * 5
    assert await both.told() == {number(n): 1 for n in range(10)}


async def test_their_sender_is_passed_over_while_it_is_set_aside(both: Accounts) -> None:
    async with both.run.ledger.write() as db:
        await senders.wrote(db, "sms", number(0), provider="second", to=SECOND)
        await senders.set_aside(
            db, ("sms", "second", SECOND), reason="sender", detail="21606: not yours"
        )
    await refresh(both.run)

    await both.flow(await crowd(both.run.ledger, 3))

    assert await both.to(number(0)) == [MAIN]
    assert not await both.sent(both.second)


async def test_receipt_that_did_not_come_is_asked_of_the_account_that_sent(both: Accounts) -> None:
    await both.main.switch(callbacks=False)
    await both.second.switch(callbacks=False)
    running = await crowd(both.run.ledger, 10)
    await both.flow(running)

    async with both.later(130) as then:
        await settle_due(then.run)

    assert [event.kind for event in await asked.kept(both.run.ledger)] == ["poll"] * 10


async def test_day_of_a_sender_ends_and_others_go_on(url: str, redis: str) -> None:
    async with two_accounts(url, redis, sender=f"{MAIN}=60/5,+15005550008=60/7") as both:
        async with both.run.ledger.write() as db:
            who = ("sms", "second")
            await providers.note_faults(db, who, faults=3, reason="account", detail="")
        await refresh(both.run)
        running = await crowd(both.run.ledger, 12)

        async with asyncio.timeout(120):
            while (await both.told()).total() < 12:
                await both.flow_once(running)

        froms = [(await both.to(number(n)))[0] for n in range(12)]
        assert (froms.count(MAIN), froms.count("+15005550008")) == (5, 7)
        more = await crowd(both.run.ledger, 3, first=12)
        assert await send_some(both.run, more.alert.id, "sms")
        assert await works(both.run.ledger, more) == [Work.PENDING] * 3


async def test_sender_whom_people_know_keeps_its_day_and_others_write_to_the_rest(
    url: str, redis: str
) -> None:
    known = "+15005550008"
    async with two_accounts(url, redis, sender=f"{MAIN}=60/100,{known}=60/3") as both:
        async with both.run.ledger.write() as db:
            await providers.note_faults(
                db, ("sms", "second"), faults=3, reason="account", detail=""
            )
            await senders.take_of_day(db, ("sms", "main", known), 1, 3)  # sent before
            for n in range(8):
                await senders.wrote(db, "sms", number(n), provider="main", to=known)
        await refresh(both.run)

        await both.flow(await crowd(both.run.ledger, 8))

        froms = [(await both.to(number(n)))[0] for n in range(8)]
        assert (froms.count(known), froms.count(MAIN)) == (2, 6)
