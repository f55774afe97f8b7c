"""The database and the ways into it: read, write, and bulk.

On SQLite each way has a connection pool of its own, since `synchronous` belongs to a connection:
reads never take the write lock, bulk work syncs at checkpoints, and what a caller was promised
(`write`) is on the disk before it is answered.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeAlias, TypedDict

from sqlalchemy import event, select
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kentongan.clock import SECOND
from ledger.bulk_lock import BulkLock
from ledger.dialect import db_now
from ledger.write_lock import WriteLock, begin_immediate

#: How long a writer waits for SQLite's write lock: the service must answer 503 within two seconds.
SERVICE_PATIENCE = 1.5
WORKER_PATIENCE = 5.0
_SMALL_WAIT = 0.001
_BULK_WAIT = 0.005
#: Milliseconds that a new connection waits for another that mends the log of a crash.
_OPENING_MS = 1000

#: SQLSTATE classes that mean "not now": connection, resources, intervention, rollback, lock.
_AWAY_CLASSES = ("08", "53", "57", "40", "55", "58")


#: A transaction or a read, for those who may not know SQLAlchemy: it is passed on, never used.
Db: TypeAlias = AsyncConnection


class LedgerAwayError(Exception):
    """The database cannot be reached, or not in time; nothing of the transaction was done."""


class Ledger:
    """One process's way to the record. Close it when the process ends."""

    def __init__(
        self,
        *,
        reading: AsyncEngine,
        writing: AsyncEngine,
        bulk: AsyncEngine,
        lock: BulkLock | None,
    ) -> None:
        self._reading, self._writing, self._bulk = reading, writing, bulk
        self._lock = lock
        self._write_lock = WriteLock()
        self._leaving: set[asyncio.Task[None]] = set()
        self.patience = WORKER_PATIENCE

    @classmethod
    def open(cls, url: str, *, patience: float = WORKER_PATIENCE, clock_offset: float = 0) -> Self:
        """Connect lazily to `sqlite:///path` or `postgresql://…`; `patience` in seconds."""
        opening = _open_sqlite if url.startswith("sqlite") else _open_postgresql
        opened = cls(**opening(url, patience, int(clock_offset * SECOND)))
        opened.patience = patience
        return opened

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Look only. Each statement sees what is committed; hold it shortly."""
        async with _away_is_said(), self._connected(self._reading) as db:
            yield db

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One short transaction, durable at its end; an exception rolls it back."""
        async with _away_is_said(), self._transaction(self._writing, _SMALL_WAIT) as db:
            yield db

    @asynccontextmanager
    async def bulk(self, *, urgent: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction of many rows, under 20 ms on SQLite, which lets small writes pass it.

        What is `urgent` (flash work) waits for no other bulk work, but for the write lock alone.
        """
        if self._lock is None:
            async with self.write() as db:
                yield db
            return
        if urgent:
            async with _away_is_said(), self._transaction(self._bulk, _SMALL_WAIT) as db:
                yield db
            return
        async with self._lock.held():
            async with _away_is_said(), self._transaction(self._bulk, _BULK_WAIT) as db:
                began = time.monotonic()
                yield db
            # Whoever waits for the write lock gets as long a turn as we had.
            await asyncio.sleep(min(time.monotonic() - began, 0.05))

    @asynccontextmanager
    async def _transaction(
        self, engine: AsyncEngine, wait: float
    ) -> AsyncIterator[AsyncConnection]:
        if engine.dialect.name == "postgresql":
            async with self._connected(engine) as db:
                transaction = await db.begin()
                yield db
                await transaction.commit()  # whatever ends otherwise is rolled back by the pool
            return
        async with self._write_lock.in_turn(self.patience), self._connected(engine) as db:
            await begin_immediate(db, self.patience, wait)
            try:
                yield db
            except BaseException:
                # A cancelled statement has cost the connection, and the transaction with it.
                if not db.invalidated:
                    await db.exec_driver_sql("ROLLBACK")
                raise
            await db.exec_driver_sql("COMMIT")

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Hold a connection. After a time-out nobody waits for it to be closed in good order."""
        db = await self._checked_out(engine)
        try:
            yield db
        except TimeoutError:
            self._left_behind(db.close())
            raise
        except BaseException:
            await db.close()
            raise
        await db.close()

    async def _checked_out(self, engine: AsyncEngine) -> AsyncConnection:
        """Return a connection; waiting for a free one, trying it and making it anew is one wait.

        It is waited for from outside: drivers swallow a time-out that comes along with their own,
        and then begin once more.
        """
        opening = asyncio.create_task(_opened(engine))
        try:
            done, _ = await asyncio.wait({opening}, timeout=self.patience)
        except asyncio.CancelledError:
            self._left_behind(_undone(opening))
            raise
        if not done:
            self._left_behind(_undone(opening))
            raise TimeoutError("no connection in time")
        return opening.result()

    def _left_behind(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def now(self) -> int:
        """Return the ledger's clock, in epoch microseconds."""
        async with self.read() as db:
            return await read_now(db)

    async def close(self) -> None:
        """Close all connections, those last that a hanging server keeps."""
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for engine in {self._reading, self._writing, self._bulk}:
            await engine.dispose()


async def _opened(engine: AsyncEngine) -> AsyncConnection:
    return await engine.connect()


async def _undone(opening: "asyncio.Task[AsyncConnection]") -> None:
    """Give up a connection that may be there all the same in the end."""
    opening.cancel()
    with suppress(asyncio.CancelledError, Exception):
        db = await opening
        await db.close()


async def read_now(db: AsyncConnection) -> int:
    return int((await db.execute(select(db_now()))).scalar_one())


@asynccontextmanager
async def _away_is_said() -> AsyncIterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError, OSError, TimeoutError) as error:
        raise LedgerAwayError(_first_line(error)) from error
    except DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", "") or "")
        if error.connection_invalidated or state.startswith(_AWAY_CLASSES):
            raise LedgerAwayError(_first_line(error)) from error
        raise


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".splitlines()[0][:200]


class _Ways(TypedDict):
    reading: AsyncEngine
    writing: AsyncEngine
    bulk: AsyncEngine
    lock: BulkLock | None


def sqlite_path(url: str) -> Path:
    """Return the file behind a `sqlite:///…` URL."""
    return Path(make_url(url).database or "")


def _open_sqlite(url: str, patience: float, offset: int) -> _Ways:
    path = sqlite_path(url)
    address = make_url(f"sqlite+aiosqlite:///{path}")

    def engine(synchronous: str, busy_ms: int, size: int) -> AsyncEngine:
        made = create_async_engine(
            address,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,  # an error's text must hold nobody's address
            pool_size=size,
            max_overflow=0,
            pool_timeout=patience,
        )

        @event.listens_for(made.sync_engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            connection.create_function("kentongan_now", 0, lambda: time.time_ns() // 1000 + offset)
            cursor = connection.cursor()
            for pragma in (
                # The first to open a file may have to mend its log, and locks it meanwhile.
                f"busy_timeout={_OPENING_MS}",
                "foreign_keys=ON",
                f"synchronous={synchronous}",
                "temp_store=MEMORY",
                "cache_size=-16000",
                f"busy_timeout={busy_ms}",
            ):
                cursor.execute("PRAGMA " + pragma)
            cursor.close()

        return made

    return _Ways(
        reading=engine("NORMAL", 1500, 4),
        writing=engine("FULL", 0, 2),
        bulk=engine("NORMAL", 0, 1),
        lock=BulkLock(path.with_name("bulk.lock")),
    )


def _open_postgresql(url: str, patience: float, offset: int) -> _Ways:
    address = make_url(url).set(drivername="postgresql+asyncpg")
    pool = create_async_engine(
        address,
        pool_size=10,
        max_overflow=10,
        pool_timeout=patience,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text must hold nobody's address
        connect_args={
            "timeout": patience,
            "command_timeout": max(patience, 30.0) if patience > SERVICE_PATIENCE else patience,
            "server_settings": {
                "kentongan.clock_offset": str(offset),
                "application_name": "kentongan",
                "jit": "off",
            },
        },
    )
    event.listen(pool.sync_engine, "handle_error", _cut_off)
    reading = pool.execution_options(isolation_level="AUTOCOMMIT")
    return _Ways(reading=reading, writing=pool, bulk=pool, lock=None)


def _cut_off(context: ExceptionContext) -> None:
    """Cut the connection of a statement that timed out: a rollback would wait as long again."""
    if isinstance(context.original_exception, TimeoutError) and context.connection is not None:
        driver = context.connection.connection.driver_connection
        assert driver is not None
        driver.terminate()
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
