"""What a transaction promises on both engines, and how an absence of the ledger looks."""

import asyncio
import threading
from contextlib import suppress

import pytest
from sqlalchemy.exc import IntegrityError

from ledger import events
from ledger.dialect import is_postgresql
from ledger.engine import Ledger, LedgerAwayError, read_now
from tests.fakes import asked

SHORT = 0.3


async def note(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await events.keep(db, channel="sms", kind="status", payload={})


async def test_what_is_written_is_there_and_what_raises_is_not(ledger: Ledger) -> None:
    await note(ledger)
    for way in (ledger.write, ledger.bulk):
        with suppress(ZeroDivisionError):
            async with way() as db:
                await events.keep(db, channel="sms", kind="status", payload={})
                raise ZeroDivisionError

    assert len(await asked.kept(ledger)) == 1


@pytest.mark.parametrize("bulk", [False, True], ids=["write", "bulk"])
async def test_cancelled_transaction_leaves_nothing_and_holds_up_nobody(
    ledger: Ledger, *, bulk: bool
) -> None:
    inside = asyncio.Event()

    async def hang() -> None:
        async with ledger.bulk() if bulk else ledger.write() as db:
            await events.keep(db, channel="sms", kind="status", payload={})
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await note(ledger)

    assert len(await asked.kept(ledger)) == 1


async def test_conflict_is_not_mistaken_for_an_absence_and_tells_nobodys_address(
    ledger: Ledger,
) -> None:
    alert = await asked.alert(ledger)
    await asked.delivery(ledger, alert, address="+62canary")

    with pytest.raises(IntegrityError) as refused:
        await asked.delivery(ledger, alert, address="+62canary")

    assert "[SQL parameters hidden" in str(refused.value)


async def test_clock_follows_its_offset(ledger: Ledger, later: Ledger) -> None:
    now = await ledger.now()
    passed = (await later.now() - now) / 1_000_000

    assert 2 * 86_400 <= passed < 2 * 86_400 + 60


async def test_clock_goes_on_within_a_transaction(ledger: Ledger) -> None:
    async with ledger.write() as db:
        before = await read_now(db)
        await asyncio.sleep(0.01)

        assert await read_now(db) > before


async def test_reads_see_what_is_committed_statement_by_statement(ledger: Ledger) -> None:
    async with ledger.read() as db:
        assert not await events.any_unjoined(db)
        await note(ledger)

        assert await events.any_unjoined(db)


@pytest.mark.parametrize("url", ["sqlite:////nowhere/ledger.db", "postgresql://k@127.0.0.1:9/k"])
async def test_database_that_cannot_be_reached_is_away(url: str) -> None:
    ledger, threads = Ledger.open(url, patience=SHORT), set(threading.enumerate())

    for way in (ledger.read, ledger.write):
        with pytest.raises(LedgerAwayError):
            async with asyncio.timeout(20), way() as db:
                await read_now(db)

    await ledger.close()
    while set(threading.enumerate()) - threads:  # the driver ends its own beside us
        await asyncio.sleep(0.01)


async def test_session_that_the_database_ended_is_away_and_the_next_is_not(
    ledger: Ledger,
) -> None:
    async with ledger.read() as db:
        if not is_postgresql(db):
            pytest.skip("SQLite has no sessions")

    async def interrupted() -> None:
        async with ledger.write() as db:
            me = (await db.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
            async with ledger.read() as other:
                await other.exec_driver_sql(f"SELECT pg_terminate_backend({me}, 5000)")
            await events.keep(db, channel="sms", kind="status", payload={})

    with pytest.raises(LedgerAwayError):
        await interrupted()
    await note(ledger)
    assert len(await asked.kept(ledger)) == 1


async def test_who_is_chosen_to_give_way_in_a_deadlock_may_try_again(ledger: Ledger) -> None:
    async with ledger.read() as db:
        if not is_postgresql(db):
            pytest.skip("SQLite has one writer at a time")
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with ledger.write() as db:
            await db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({first})")
            await both.wait()
            await db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({second})")

    ended = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)

    assert sorted(type(one).__name__ for one in ended) == ["LedgerAwayError", "NoneType"]
