"""Opening the ways into a database: what each engine is told before it is used."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from ledger.bulk_lock import BulkLock
from ledger.connections import Connections
from ledger.glance import Glance

#: How long a writer waits for SQLite's write lock: the service must answer 503 within two seconds.
SERVICE_PATIENCE = 1.5
WORKER_PATIENCE = 5.0
#: Milliseconds that a new connection waits for another that mends the log of a crash.
_OPENING_MS = 1000
#: Connections to PostgreSQL that are kept, and as many more for a while.
_POOL = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The connections of one process: on PostgreSQL one set, on SQLite three, and two things more.

    What only SQLite has is None elsewhere.
    """

    reading: Connections
    writing: Connections
    bulk: Connections
    lock: BulkLock | None = None
    glance: Glance | None = None


def open_ways(url: str, patience: float, offset: int) -> Ways:
    """Return the ways into a database, whose clock is ahead by `offset` microseconds."""
    opening = _open_sqlite if url.startswith("sqlite") else _open_postgresql
    return opening(url, patience, offset)


def sqlite_path(url: str) -> Path:
    """Return the file behind a `sqlite:///…` URL."""
    return Path(make_url(url).database or "")


def _open_sqlite(url: str, patience: float, offset: int) -> Ways:
    path = sqlite_path(url)
    address = make_url(f"sqlite+aiosqlite:///{path}")

    def connections(synchronous: str, busy_ms: int, size: int) -> Connections:
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

        return Connections(made, patience=patience, ready=size)

    return Ways(
        reading=connections("NORMAL", 1500, 4),
        writing=connections("FULL", 0, 2),
        bulk=connections("NORMAL", 0, 1),
        lock=BulkLock(path.with_name("bulk.lock")),
        glance=Glance(path),
    )


def _open_postgresql(url: str, patience: float, offset: int) -> Ways:
    address = make_url(url).set(drivername="postgresql+asyncpg")
    pool = create_async_engine(
        address,
        isolation_level="AUTOCOMMIT",
        pool_size=_POOL,
        max_overflow=_POOL,
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
    same = Connections(pool, patience=patience, ready=_POOL)
    return Ways(reading=same, writing=same, bulk=same)


def _cut_off(context: ExceptionContext) -> None:
    """Cut the connection of a statement that timed out: a rollback would wait as long again."""
    if isinstance(context.original_exception, TimeoutError) and context.connection is not None:
        driver = context.connection.connection.driver_connection
        assert driver is not None
        driver.terminate()
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
