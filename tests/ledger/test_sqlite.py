"""SQLite has one writer at a time: who waits for whom, how long, and who passes whom."""

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ledger import events
from ledger.engine import Ledger, LedgerAwayError, sqlite_path
from tests.fakes import asked
from tests.fakes.ledgers import Ledgers

SHORT = 0.3


@pytest.fixture
async def embedded(ledgers: Ledgers, tmp_path: Path) -> str:
    """The URL of an empty SQLite ledger."""
    return await ledgers.fresh("sqlite", tmp_path)


@pytest.fixture
async def small(embedded: str) -> AsyncIterator[Ledger]:
    """A SQLite ledger without much patience."""
    opened = Ledger.open(embedded, patience=SHORT)
    yield opened
    await opened.close()


@contextmanager
def write_lock(url: str) -> Iterator[sqlite3.Connection]:
    """Hold SQLite's write lock as another process would."""
    with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


async def note(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await events.keep(db, channel="sms", kind="status", payload={})


async def test_writer_waits_for_the_lock(embedded: str) -> None:
    ledger = Ledger.open(embedded, patience=20)
    with write_lock(embedded) as other:
        writing = asyncio.create_task(note(ledger))
        done, _ = await asyncio.wait({writing}, timeout=0.1)
        assert not done

        other.execute("ROLLBACK")
        await writing

    assert len(await asked.kept(ledger)) == 1
    await ledger.close()


@pytest.mark.parametrize("bulk", [False, True], ids=["write", "bulk"])
async def test_writer_whose_patience_ends_is_told_that_the_ledger_is_away(
    embedded: str, small: Ledger, *, bulk: bool
) -> None:
    with write_lock(embedded), pytest.raises(LedgerAwayError, match="locked"):
        async with asyncio.timeout(20), small.bulk() if bulk else small.write():
            pass

    await note(small)  # it comes back by itself


async def test_readers_do_not_wait_for_writers(embedded: str, small: Ledger) -> None:
    with write_lock(embedded):
        assert await asked.kept(small) == []


async def test_promises_are_on_the_disk_and_bulk_work_syncs_at_checkpoints(small: Ledger) -> None:
    async with small.write() as db:
        written = (await db.exec_driver_sql("PRAGMA synchronous")).scalar_one()
    async with small.bulk() as db:
        bulk = (await db.exec_driver_sql("PRAGMA synchronous")).scalar_one()
        journal = (await db.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
        keys = (await db.exec_driver_sql("PRAGMA foreign_keys")).scalar_one()

    assert (written, bulk, journal, keys) == (2, 1, "wal", 1)


async def test_bulk_writer_queues_for_the_bulk_lock_and_small_ones_pass_it(
    embedded: str, small: Ledger
) -> None:
    async def page() -> None:
        async with small.bulk() as db:
            await events.keep(db, channel="sms", kind="page", payload={})

    path = sqlite_path(embedded).with_name("bulk.lock")
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        bulk = asyncio.create_task(page())
        for _ in range(3):
            await note(small)
        assert not bulk.done()

    await bulk
    assert [event.kind for event in await asked.kept(small)] == ["status"] * 3 + ["page"]


async def test_bulk_writer_cancelled_in_the_queue_does_not_keep_the_lock(
    embedded: str, small: Ledger
) -> None:
    async def page() -> None:
        async with small.bulk():
            pass

    path = sqlite_path(embedded).with_name("bulk.lock")
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = asyncio.create_task(page())
        await asyncio.wait({waiting}, timeout=0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async with asyncio.timeout(20):
        await page()


async def test_bulk_writers_do_not_starve_small_ones(embedded: str) -> None:
    ledgers = [Ledger.open(embedded) for _ in range(4)]
    order: list[str] = []

    async def bulk(ledger: Ledger) -> None:
        for _ in range(25):
            async with ledger.bulk() as db:
                for _ in range(40):
                    await events.keep(db, channel="sms", kind="page", payload={})
            order.append("page")

    async def little(ledger: Ledger) -> None:
        for _ in range(10):
            await note(ledger)
            order.append("note")

    await asyncio.gather(little(ledgers[0]), *(bulk(one) for one in ledgers[1:]))

    # Whoever is starved comes last, when nobody else is left; these were done in the midst of it.
    assert "note" not in order[-10:], order
    for ledger in ledgers:
        await ledger.close()


async def _read_for_ever(ledger: Ledger) -> None:
    while True:
        async with ledger.read():
            await asyncio.sleep(0)


async def test_waiting_for_a_free_connection_ends_with_the_patience(small: Ledger) -> None:
    async def hold() -> None:
        async with small.read():
            await asyncio.Event().wait()

    holders = [asyncio.create_task(hold()) for _ in range(4)]
    await asyncio.sleep(0)

    with pytest.raises(LedgerAwayError):
        await asyncio.wait_for(_read_for_ever(small), 20)
    for task in holders:
        task.cancel()
    await asyncio.gather(*holders, return_exceptions=True)

    assert await asked.kept(small) == []


async def test_flash_bulk_work_waits_for_no_other_bulk_work(embedded: str) -> None:
    ledger = Ledger.open(embedded, patience=20)
    with sqlite_path(embedded).with_name("bulk.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # as a routine expansion of another process holds it

        async def routine() -> None:
            async with ledger.bulk():
                pass

        waiting = asyncio.create_task(routine())
        async with asyncio.timeout(10), ledger.bulk(urgent=True) as db:
            await events.keep(db, channel="sms", kind="status", payload={})
        assert not waiting.done()

    await asyncio.wait_for(waiting, 20)
    assert len(await asked.kept(ledger)) == 1
    await ledger.close()
