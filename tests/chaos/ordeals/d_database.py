"""The database stops, restarts, cuts connections, has no room; of SQLite the write lock is held."""

import asyncio
import sqlite3
import time
from contextlib import closing

import asyncpg

from ledger.engine import sqlite_path
from tests.chaos.ordeal import Engine, NotPossibleError, Ordeal
from tests.chaos.stage import Stage
from tests.fakes.postgres import Postgres


def stopped(stage: Stage, count: int) -> None:
    """In order, and long enough that every lease has lapsed."""
    server = _server(stage)
    with stage.load.flowing():
        for _ in range(count):
            time.sleep(stage.chance.uniform(1, 4))
            server.stop("fast")
            time.sleep(30 if stage.is_full else 15)
            server.start()
            stage.strike("stop")
            stage.wait_until_caught_up()


def restarted(stage: Stage, count: int) -> None:
    """As if it had crashed."""
    server = _server(stage)
    with stage.load.flowing():
        for _ in range(count):
            time.sleep(stage.chance.uniform(1, 5))
            server.stop("immediate")
            server.start()
            stage.strike("restart")
            stage.wait_until_caught_up()


def cut(stage: Stage, count: int) -> None:
    """Every session is ended, in the middle of whatever it does."""

    async def cut_all() -> None:
        line = await asyncpg.connect(_server(stage).url(), timeout=10)
        try:
            await line.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
            )
        finally:
            await line.close()

    with stage.load.flowing():
        for _ in range(count):
            time.sleep(stage.chance.uniform(1, 4))
            asyncio.run(cut_all())
            stage.strike("cut")
            stage.wait_until_caught_up()


def held(stage: Stage, count: int) -> None:
    """Somebody sits on SQLite's write lock, as a backup gone wrong does."""
    path = sqlite_path(stage.url)
    with stage.load.flowing():
        for _ in range(count):
            time.sleep(stage.chance.uniform(1, 4))
            with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as hog:
                hog.execute("BEGIN IMMEDIATE")
                time.sleep(30 if stage.is_full else 15)
                hog.execute("ROLLBACK")
            stage.strike("held")
            stage.wait_until_caught_up()


def full(stage: Stage, count: int) -> None:
    """Not a byte is left on the disk that the database lies on."""
    assert stage.disk is not None
    with stage.load.flowing():
        for _ in range(count):
            time.sleep(stage.chance.uniform(2, 5))
            stage.disk.fill()
            time.sleep(stage.chance.uniform(5, 8))
            stage.disk.empty()
            if stage.postgres:
                stage.postgres.start()  # nothing, unless it has given up
            stage.strike("full")
            stage.wait_until_caught_up()


def _server(stage: Stage) -> Postgres:
    if stage.postgres is None or not stage.postgres.can_stop:
        raise NotPossibleError("KENTONGAN_TEST_DATABASE_URL names a server that is not ours")
    return stage.postgres


_SERVER, _FILE = (Engine.POSTGRESQL,), (Engine.SQLITE,)

ORDEALS = [
    Ordeal(name="database stopped", run=stopped, plain=3, full=10, engines=_SERVER),
    Ordeal(name="database restarted", run=restarted, plain=3, full=10, engines=_SERVER),
    Ordeal(name="connections cut", run=cut, plain=3, full=10, engines=_SERVER),
    Ordeal(name="write lock held", run=held, plain=3, full=10, engines=_FILE),
    Ordeal(name="disk full", run=full, plain=3, full=10, cramped=True),
]
