"""Statements that the clock has run again and again: put into words once, run past SQLAlchemy.

Looks mostly find nothing. Saying them took an idle worker longer than having them answered.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CompoundSelect

from ledger.dialect import POSTGRESQL_NOW, is_postgresql
from ledger.driver import fetch, in_thread

Query = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
Rows = Sequence[Sequence[Any]]


async def look(db: AsyncConnection, query: Query) -> Rows:
    """Return a query's rows as the driver has them: in order, and on SQLite a boolean is a number.

    Its words are kept for as long as the process: there are to be few, made once, not each time.
    """
    return await _asked(db, _words(query, db.dialect))


async def ask(db: AsyncConnection, sql: str, *args: Any) -> Rows:
    """Run a fixed text on either database and return its rows.

    `$1` and on stand for its parameters, `:now` for the ledger's clock.
    """
    return await _asked(db, _marked(sql, on_postgresql=is_postgresql(db)), *args)


async def _asked(db: AsyncConnection, sql: str, *args: Any) -> Rows:
    if is_postgresql(db):
        return await fetch(db, sql, *args)

    def fetched(connection: sqlite3.Connection) -> Rows:
        return connection.execute(sql, args).fetchall()

    return await in_thread(db, fetched)


@cache
def _words(query: Query, dialect: Dialect) -> str:
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


@cache
def _marked(sql: str, *, on_postgresql: bool) -> str:
    if on_postgresql:
        return sql.replace(":now", POSTGRESQL_NOW)
    return sql.replace("$", "?").replace(":now", "(SELECT kentongan_now())")
