"""Rows by the thousand, as tuples, past SQLAlchemy: COPY on PostgreSQL, few long INSERTs on SQLite.

Values go as they are: text, numbers and None; a column of JSON is for `ledger.dialect`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.dialect import COPY_FROM, is_postgresql
from ledger.driver import copy, for_each, in_thread

#: Rows of one INSERT, the most first, so that there are few texts to prepare. One with many takes a
#: third less than as many with one each, and lets go of the interpreter's lock once and not for
#: each row: beside a busy loop it takes milliseconds to get it back.
_ROWS = (256, 64, 16, 4, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What goes into one table."""

    table: Table
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


async def insert_loads(db: AsyncConnection, *loads: Load) -> None:
    """Insert everything, one table after the other; a conflict raises IntegrityError.

    The transaction is spoilt by a conflict.
    """
    if is_postgresql(db):
        for load in loads:
            await _load(db, load)
    else:
        await in_thread(db, lambda connection: insert(connection, loads))


async def _load(db: AsyncConnection, load: Load) -> None:
    if len(load.rows) >= COPY_FROM:
        await copy(db, load.table.name, load.columns, load.rows)
    elif load.rows:
        marks = ", ".join(f"${at + 1}" for at in range(len(load.columns)))
        await for_each(db, _into(load.table.name, load.columns, f"({marks})"), load.rows)


def insert(connection: sqlite3.Connection, loads: Sequence[Load]) -> None:
    """Insert everything on SQLite, in the connection's own thread."""
    for load in loads:
        for rows in _chunks(load.rows):
            sql = _into_sqlite(load.table.name, load.columns, len(rows))
            connection.execute(sql, tuple(chain.from_iterable(rows)))


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    at = 0
    for size in _ROWS:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


@lru_cache(32)
def _into_sqlite(table: str, columns: tuple[str, ...], rows: int) -> str:
    """Return the INSERT of so many rows, made once: it may have ten thousand letters."""
    marks = f"({', '.join('?' * len(columns))})"
    return _into(table, columns, ", ".join([marks] * rows))


def _into(table: str, columns: tuple[str, ...], values: str) -> str:
    """Return the INSERT; names are our schema's own, values travel as parameters."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}"  # noqa: S608
