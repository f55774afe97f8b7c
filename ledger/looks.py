"""Queries that the clock asks again and again, put into words once and asked past SQLAlchemy.

They mostly find nothing, and then saying them took an idle worker longer than having them answered.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CompoundSelect

from ledger.dialect import is_postgresql
from ledger.driver import fetch, in_thread

Query = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
Rows = Sequence[Sequence[Any]]


async def look(db: AsyncConnection, query: Query) -> Rows:
    """Return a query's rows as the driver has them: in order, and on SQLite a boolean is a number.

    Its words are kept for as long as the process: there are to be few, made once, not each time.
    """
    sql = _words(query, db.dialect)
    if is_postgresql(db):
        return await fetch(db, sql)

    def ask(connection: sqlite3.Connection) -> Rows:
        return connection.execute(sql).fetchall()

    return await in_thread(db, ask)


@cache
def _words(query: Query, dialect: Dialect) -> str:
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
