"""Rows by the thousand, as tuples, past SQLAlchemy: COPY on PostgreSQL, few long INSERTs on SQLite.

Values go as they are: text, numbers and None; a column of JSON is for `ledger.dialect`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from asyncpg import InterfaceError, PostgresError, UniqueViolationError
from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.dialect import COPY_FROM, is_postgresql

#: Rows of one INSERT, the most first, so that there are few texts to prepare. One with many takes a
#: third less than as many with one each, and lets go of the interpreter's lock once and not for
#: each row: beside a busy loop it takes milliseconds to get it back.
_ROWS = (256, 64, 16, 4, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What goes into one table."""

    table: Table
    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]


async def insert_loads(db: AsyncConnection, *loads: Load) -> None:
    """Insert everything, one table after the other; a conflict raises IntegrityError.

    The transaction is spoilt by a conflict.
    """
    driver = (await db.get_raw_connection()).driver_connection
    if is_postgresql(db):
        # SQLAlchemy may begin lazily; what goes past it needs the transaction to be there already.
        await db.exec_driver_sql("SELECT 1")
        for load in loads:
            await _copy(driver, load)
        return
    try:
        # The driver's own way into its thread; its public ones take one statement each.
        await driver._execute(_insert, driver._conn, loads)  # type: ignore[union-attr]  # noqa: SLF001 - see above
    except sqlite3.IntegrityError as error:
        raise IntegrityError("INSERT", None, error) from error


async def _copy(driver: Any, load: Load) -> None:
    name = load.table.name
    try:
        if len(load.rows) >= COPY_FROM:
            await driver.copy_records_to_table(name, records=load.rows, columns=load.columns)
        elif load.rows:
            marks = ", ".join(f"${at + 1}" for at in range(len(load.columns)))
            await driver.executemany(_into(load, f"({marks})"), load.rows)
    except UniqueViolationError as error:
        raise IntegrityError("COPY", None, error) from error
    except (PostgresError, InterfaceError) as error:
        raise DBAPIError("COPY", None, error) from error


def _insert(connection: sqlite3.Connection, loads: Sequence[Load]) -> None:
    for load in loads:
        marks = f"({', '.join('?' * len(load.columns))})"
        for rows in _chunks(load.rows):
            sql = _into(load, ", ".join([marks] * len(rows)))
            connection.execute(sql, tuple(chain.from_iterable(rows)))


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    at = 0
    for size in _ROWS:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


def _into(load: Load, values: str) -> str:
    """Return the INSERT; names are our schema's own, values travel as parameters."""
    return f"INSERT INTO {load.table.name} ({', '.join(load.columns)}) VALUES {values}"  # noqa: S608
