"""The connections of one way into the database: those that nobody uses lie ready to be taken.

SQLAlchemy's pool makes a task, a round trip and a rollback of each use. A connection that was used
well a moment ago needs none of them.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any

from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.dialect import is_postgresql
from ledger.driver import driver_of, in_thread

#: A connection that was used so many seconds ago is taken untried. One that its server closed is
#: seen without trying.
_FRESH = 1.0

#: What a statement of asyncpg raises on a connection that is no more.
GONE = (OSError, PostgresError, InterfaceError)


class Connections:
    """Gives out connections of `engine`, at most as many as its pool allows.

    Whatever is begun and not ended in one is rolled back when it comes back. Times in seconds.
    """

    def __init__(self, engine: AsyncEngine, *, patience: float, ready: int) -> None:
        self._engine, self._patience, self._most_ready = engine, patience, ready
        self._ready: list[tuple[AsyncConnection, float]] = []
        self._waiting = 0
        self._leaving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def held(self, first: str = "") -> AsyncIterator[AsyncConnection]:
        """Hold a connection. After a time-out nobody waits for it to be closed in good order.

        `first` is a statement of PostgreSQL to begin with, which also shows that it is alive.
        """
        db = await self._take(first)
        try:
            yield db
        except TimeoutError:
            _cut(db)
            self._left_behind(_closed(db, self._patience))
            raise
        except BaseException:
            await asyncio.shield(self._leave(_closed(db, self._patience)))
            raise
        if self._waiting or len(self._ready) >= self._most_ready or db.invalidated:
            await db.close()  # into the pool, where somebody waits for it
        else:
            self._ready.append((db, monotonic()))

    async def _take(self, first: str) -> AsyncConnection:
        while self._ready:
            db, since = self._ready.pop()
            if not is_postgresql(db):
                return db
            if driver_of(db).is_closed():
                self._left_behind(_closed(db, self._patience))
            elif await self._answers(db, since, first):
                return db
        db = await self._opened()
        if first:
            await self._tried(db, first)
        return db

    async def _answers(self, db: AsyncConnection, since: float, first: str) -> bool:
        """Tell whether a connection that lay ready still lives; a time-out is not asked again."""
        if not first and monotonic() - since < _FRESH:
            return True
        try:
            await self._tried(db, first or "SELECT 1")
        except GONE as error:
            if isinstance(error, TimeoutError):
                raise
            return False
        return True

    async def _tried(self, db: AsyncConnection, first: str) -> None:
        try:
            await driver_of(db).execute(first, timeout=self._patience)
        except BaseException:
            _cut(db)
            self._left_behind(_closed(db, self._patience))
            raise

    async def _opened(self) -> AsyncConnection:
        """Return a connection; waiting for a free one, trying it and making it anew is one wait.

        It is waited for from outside: drivers swallow a time-out that comes along with their own,
        and then begin once more.
        """
        opening = asyncio.create_task(_connected(self._engine))
        self._waiting += 1
        try:
            done, _ = await asyncio.wait({opening}, timeout=self._patience)
        except asyncio.CancelledError:
            self._left_behind(_undone(opening))
            raise
        finally:
            self._waiting -= 1
        if not done:
            self._left_behind(_undone(opening))
            raise TimeoutError("no connection in time")
        return opening.result()

    def _left_behind(self, work: Coroutine[Any, Any, None]) -> None:
        _ = self._leave(work)

    def _leave(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def close(self) -> None:
        """Close all connections, those last that a hanging server keeps."""
        while self._ready:
            self._left_behind(_closed(self._ready.pop()[0], self._patience))
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self._engine.dispose()


async def _connected(engine: AsyncEngine) -> AsyncConnection:
    return await engine.connect()


async def _undone(opening: "asyncio.Task[AsyncConnection]") -> None:
    """Give up a connection that may be there all the same in the end."""
    opening.cancel()
    with suppress(asyncio.CancelledError, Exception):
        db = await opening
        await db.close()


def _cut(db: AsyncConnection) -> None:
    """End a connection that may hang, so that nobody waits for it again."""
    if not db.invalidated and is_postgresql(db):
        driver_of(db).terminate()


async def _closed(db: AsyncConnection, patience: float) -> None:
    """Give a connection back to the pool with nothing begun in it, or give it up."""
    try:
        if not db.invalidated:
            await _rolled_back(db, patience)
    except (*GONE, SQLAlchemyError, sqlite3.Error):
        _cut(db)
        await db.invalidate()
    finally:
        await db.close()


async def _rolled_back(db: AsyncConnection, patience: float) -> None:
    if not is_postgresql(db):
        # In the connection's thread, so behind whatever a cancelled caller has left to do there.
        await in_thread(db, sqlite3.Connection.rollback)
    elif (driver := driver_of(db)).is_closed():
        await db.invalidate()
    elif driver.is_in_transaction():
        await driver.execute("ROLLBACK", timeout=patience)
