"""The drivers themselves, for statements where SQLAlchemy's way would cost more than the answer.

On PostgreSQL that is asyncpg, which prepares each text once a connection. On SQLite it is sqlite3
in the connection's own thread: what belongs together crosses to it once.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from asyncpg import InterfaceError, PostgresError, UniqueViolationError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import InterfaceError as LostError
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


def driver_of(db: AsyncConnection) -> Any:
    """Return the driver's connection under `db`."""
    assert db.sync_connection is not None
    return db.sync_connection.connection.driver_connection


async def fetch(db: AsyncConnection, sql: str, *args: Any) -> Sequence[Any]:
    """Run one statement of PostgreSQL, `$1` and on for its parameters, and return its rows.

    Errors are those that SQLAlchemy would raise. A text is sent once a connection and prepared:
    there are to be few of them, and none with values written into it.
    """
    with _as_sqlalchemy_says(sql):
        return list(await driver_of(db).fetch(sql, *args))


async def copy(
    db: AsyncConnection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Write rows of PostgreSQL in bulk, past its reader of statements; errors are as of `fetch`."""
    with _as_sqlalchemy_says("COPY"):
        await driver_of(db).copy_records_to_table(table, records=rows, columns=columns)


async def for_each(db: AsyncConnection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run one statement of PostgreSQL once for each of a few rows; errors are as of `fetch`."""
    with _as_sqlalchemy_says(sql):
        await driver_of(db).executemany(sql, rows)


@contextmanager
def _as_sqlalchemy_says(sql: str) -> Iterator[None]:
    try:
        yield
    except UniqueViolationError as error:
        raise IntegrityError(sql, None, error) from error
    except PostgresError as error:
        raise DBAPIError(sql, None, error) from error
    except InterfaceError as error:
        raise LostError(sql, None, error) from error


async def in_thread(db: AsyncConnection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` in the thread of a SQLite connection: any number of statements for one crossing.

    Each row that is fetched there lets go of the interpreter's lock, and may wait long for it
    beside a busy loop: many rows are better asked for as one (`json_group_array`).
    """
    driver = driver_of(db)
    try:
        # The library's own way across; its public ones take one statement each.
        return await driver._execute(work, driver._conn)  # type: ignore[no-any-return]  # noqa: SLF001 - see above
    except sqlite3.IntegrityError as error:
        raise IntegrityError(None, None, error) from error


async def run(db: AsyncConnection, sql: str) -> None:
    """Run a statement of SQLite that returns nothing."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(sql)

    await in_thread(db, work)
