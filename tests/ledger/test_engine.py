"""What a transaction promises, who waits for whom, and how an absence of the ledger looks."""

import asyncio
import fcntl
import os
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from ledger import events
from ledger.dialect import is_postgresql
from ledger.engine import SERVICE_PATIENCE, Ledger, LedgerAwayError, read_now, sqlite_path
from tests.fakes import asked
from tests.fakes.ledgers import Ledgers
from tests.fakes.postgres import Postgres

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
                await other.exec_driver_sql(f"SELECT pg_terminate_backend({me})")
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


@pytest.fixture
def freezable() -> Iterator[Postgres]:
    """A PostgreSQL of one test's own; it thaws in the end, since only so it can be stopped."""
    server = Postgres.running()
    if not server.can_stop:
        pytest.skip("KENTONGAN_TEST_DATABASE_URL names a server that is not ours to freeze")
    yield server
    signal_all(server, signal.SIGCONT)
    server.close()


def signal_all(server: Postgres, kind: signal.Signals) -> None:
    assert server.pid is not None
    backends = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (server.pid, *map(int, backends)):
        with suppress(ProcessLookupError):  # a backend that has just ended
            os.kill(pid, kind)


@pytest.mark.parametrize("frozen", ["before", "within", "at the end"])
async def test_frozen_server_is_waited_for_once(freezable: Postgres, frozen: str) -> None:
    ledger = Ledger.open(freezable.url(), patience=SERVICE_PATIENCE)
    await ledger.now()  # a connection lies ready, and is as dead as the server then

    async def use() -> None:
        async with ledger.write() as db:
            await read_now(db)
            if frozen != "before":
                signal_all(freezable, signal.SIGSTOP)
            if frozen == "within":
                await read_now(db)

    if frozen == "before":
        signal_all(freezable, signal.SIGSTOP)
    using = asyncio.create_task(use())
    # Waiting twice, for a statement and then for its rollback, would take longer than this.
    await asyncio.wait({using}, timeout=1.9 * SERVICE_PATIENCE)
    ended = using.done()
    signal_all(freezable, signal.SIGCONT)

    assert ended
    assert isinstance(using.exception(), LedgerAwayError)
    await ledger.now()
    await ledger.close()
