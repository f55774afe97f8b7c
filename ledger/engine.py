"""The database and the ways into it: read, write, and bulk.

On SQLite each way has connections of its own, since `synchronous` belongs to a connection: reads
never take the write lock, bulk work syncs at checkpoints, and what a caller was promised (`write`)
is on the disk before it is answered.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from sqlite3 import Connection
from typing import Any, Self, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import SECOND
from ledger.away import LedgerAwayError, away_is_said
from ledger.connections import Connections
from ledger.dialect import POSTGRESQL_NOW, is_postgresql
from ledger.driver import driver_of, fetch, in_thread, run
from ledger.ways import SERVICE_PATIENCE, WORKER_PATIENCE, Ways, open_ways, sqlite_path
from ledger.write_lock import WriteLock, begin_immediate

__all__ = [
    "SERVICE_PATIENCE",
    "WORKER_PATIENCE",
    "Db",
    "Ledger",
    "LedgerAwayError",
    "read_now",
    "sqlite_path",
]

_SMALL_WAIT = 0.001
_BULK_WAIT = 0.005

#: A transaction or a read, for those who may not know SQLAlchemy: it is passed on, never used.
Db: TypeAlias = AsyncConnection


class Ledger:
    """One process's way to the record. Close it when the process ends."""

    def __init__(self, ways: Ways, *, patience: float) -> None:
        self._ways, self.patience = ways, patience
        self._write_lock = WriteLock()

    @classmethod
    def open(cls, url: str, *, patience: float = WORKER_PATIENCE, clock_offset: float = 0) -> Self:
        """Connect lazily to `sqlite:///path` or `postgresql://…`; `patience` in seconds."""
        return cls(open_ways(url, patience, int(clock_offset * SECOND)), patience=patience)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Look only. Each statement sees what is committed; hold it shortly."""
        async with away_is_said(), self._ways.reading.held() as db:
            yield db

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One short transaction, durable at its end; an exception rolls it back."""
        async with away_is_said(), self._transaction(self._ways.writing, _SMALL_WAIT) as db:
            yield db

    @asynccontextmanager
    async def bulk(self, *, urgent: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction of many rows, under 20 ms on SQLite, which lets small writes pass it.

        What is `urgent` (flash work) waits for no other bulk work, but for the write lock alone.
        """
        if self._ways.lock is None:
            async with self.write() as db:
                yield db
            return
        if urgent:
            async with away_is_said(), self._transaction(self._ways.bulk, _SMALL_WAIT) as db:
                yield db
            return
        async with self._ways.lock.held():
            async with away_is_said(), self._transaction(self._ways.bulk, _BULK_WAIT) as db:
                began = time.monotonic()
                yield db
            # Whoever waits for the write lock gets as long a turn as we had.
            await asyncio.sleep(min(time.monotonic() - began, 0.05))

    @asynccontextmanager
    async def _transaction(self, way: Connections, wait: float) -> AsyncIterator[AsyncConnection]:
        """Begin and commit; whatever ends otherwise is rolled back by the connections' keeper."""
        if self._ways.lock is None:
            async with way.held("BEGIN") as db:
                yield db
                await driver_of(db).execute("COMMIT")
            return
        async with self._write_lock.in_turn(self.patience), way.held() as db:
            await begin_immediate(db, self.patience, wait)
            yield db
            await run(db, "COMMIT")

    def glance(self, sql: str, *args: Any) -> Sequence[Any] | None:
        """Ask one short query without waiting; None where that cannot be: then `read`."""
        ask = self._ways.glance
        return None if ask is None else ask.ask(sql, *args)

    async def now(self) -> int:
        """Return the ledger's clock, in epoch microseconds."""
        async with self.read() as db:
            return await read_now(db)

    async def close(self) -> None:
        """Close all connections, those last that a hanging server keeps."""
        for way in {self._ways.reading, self._ways.writing, self._ways.bulk}:
            await way.close()
        if self._ways.glance is not None:
            self._ways.glance.close()


async def read_now(db: AsyncConnection) -> int:
    """Return the ledger's clock, in epoch microseconds, within a transaction or a read."""
    if is_postgresql(db):
        [row] = await fetch(db, f"SELECT {POSTGRESQL_NOW}")
        return int(row[0])
    return await in_thread(db, _sqlite_now)


def _sqlite_now(connection: Connection) -> int:
    return int(connection.execute("SELECT kentongan_now()").fetchone()[0])
