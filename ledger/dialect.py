"""What differs between SQLite and PostgreSQL; nothing outside `ledger/` can tell which it is on."""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Table,
    Text,
    TextClause,
    any_,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ledger.driver import copy, fetch, in_thread

Row = Mapping[str, Any]

#: From this many rows on, COPY is worth its extra round trip.
COPY_FROM = 50


class db_now(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The ledger's clock in epoch microseconds, read once a statement.

    A scalar subquery, so that it is computed once and an index can still be used. Not `now()` of
    PostgreSQL, which stands still while a transaction waits for a lock.
    """

    type = BigInteger()
    inherit_cache = True


#: The same in words, for a text of PostgreSQL.
POSTGRESQL_NOW = (
    "(SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    " + coalesce(nullif(current_setting('kentongan.clock_offset', true), '')::bigint, 0))"
)


@compiles(db_now, "postgresql")
def _postgresql_now(_element: db_now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return POSTGRESQL_NOW


@compiles(db_now, "sqlite")
def _sqlite_now(_element: db_now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "(SELECT kentongan_now())"


def is_postgresql(db: AsyncConnection) -> bool:
    return db.dialect.name == "postgresql"


def insert_or_skip(db: AsyncConnection, table: Table) -> Any:
    """Return an INSERT that leaves rows alone which are there already (`RETURNING` still works)."""
    if is_postgresql(db):
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


#: The shared lock of `lock_alert` in words, for a text that begins with it. What that text itself
#: looks at may be older than the lock: a stop that it waited for is seen by the next.
POSTGRESQL_SHARED = "pg_advisory_xact_lock_shared(hashtextextended({alert}, 0))"


async def lock_alert(db: AsyncConnection, alert_id: str, *, exclusive: bool) -> None:
    """Order claims (shared) and stops (exclusive) of one alert, until the transaction ends.

    An advisory lock and not `FOR SHARE`: row locks are unfair, a stop waited ten seconds behind
    claims. SQLite has one writer at a time anyway.
    """
    if not is_postgresql(db):
        return
    lock = "pg_advisory_xact_lock(hashtextextended({alert}, 0))" if exclusive else POSTGRESQL_SHARED
    await fetch(db, "SELECT " + lock.format(alert="$1"), alert_id)


async def lock_suspects(db: AsyncConnection, alert_id: str, channel: str) -> None:
    """Let one claim at a time look for what may have killed workers, until its transaction ends."""
    if is_postgresql(db):
        what = f"{alert_id}:{channel}"
        await fetch(db, "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", what)


async def insert_many(db: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that all have the same columns; a conflict raises IntegrityError."""
    if not rows:
        return
    if is_postgresql(db) and len(rows) >= COPY_FROM:
        await copy(db, table.name, list(rows[0]), _records(table, rows))
    elif is_postgresql(db):
        await db.execute(insert(table), list(rows))
    else:
        # Past SQLAlchemy's look at every value: it takes as long as SQLite itself.
        names = list(rows[0])
        quoted = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join("?" * len(names))
        sql = f"INSERT INTO {table.name} ({quoted}) VALUES ({marks})"  # noqa: S608 - of our schema
        await db.exec_driver_sql(sql, _records(table, rows))


def _records(table: Table, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return list(zip(*(_column(table, name, rows) for name in rows[0]), strict=True))


def _column(table: Table, name: str, rows: Sequence[Row]) -> list[Any]:
    """Return a column's values as the driver takes them past SQLAlchemy."""
    values = [row[name] for row in rows]
    return [json.dumps(value) for value in values] if _is_json(table, name) else values


def _is_json(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, JSON)


_ARRAY_OF = {"BIGINT": "bigint", "SMALLINT": "smallint", "INTEGER": "integer", "BOOLEAN": "boolean"}


class Update(NamedTuple):
    """Rows, each found by its `keys` and given its other values; see `update_many`."""

    table: Table
    rows: Sequence[Row]
    keys: Sequence[str]
    guard: str = ""


async def update_many(
    db: AsyncConnection,
    table: Table,
    rows: Sequence[Row],
    *,
    keys: Sequence[str],
    guard: str = "",
    params: Row | None = None,
) -> list[tuple[Any, ...]]:
    """Update each row found by `keys` to its other values; return the keys of those that were hit.

    `guard` is more SQL for the WHERE, with the table's name before its columns; its parameters are
    `params`. One statement for all rows: UPDATE … FROM unnest on PostgreSQL, FROM json_each on
    SQLite, where a statement a row cost four hops to the driver's thread each.
    """
    if not rows:
        return []
    sql, given = _update(db, Update(table, rows, keys, guard), returns=True)
    if not params:
        return [tuple(row) for row in await _driven(db, sql, given)]
    done = await db.execute(_prepared(sql), given | dict(params))
    return [tuple(row) for row in done]


async def update_all(db: AsyncConnection, *updates: Update) -> None:
    """Run updates one after the other; on SQLite they cross to the connection's thread together.

    Nobody is told what was hit: each row that SQLite returns lets go of the interpreter's lock.
    """
    made = [_update(db, update, returns=False) for update in updates if update.rows]
    if is_postgresql(db):
        for sql, given in made:
            await _driven(db, sql, given)
        return
    if not made:
        return

    def work(connection: sqlite3.Connection) -> None:
        for sql, given in made:
            connection.execute(sql, given)

    await in_thread(db, work)


def _update(db: AsyncConnection, update: Update, *, returns: bool) -> tuple[str, dict[str, Any]]:
    """Return a statement and its parameters, in the order in which they stand in it.

    What is the same in all rows, which is most in a fan-out, is given once. Each set of such
    columns is a text of its own: a handful for each place, since outcomes come in few kinds.
    """
    table, rows, keys, guard = update
    columns = {name: _column(table, name, rows) for name in rows[0]}
    same = {n: c[0] for n, c in columns.items() if n not in keys and c.count(c[0]) == len(c)}
    own = {name: columns[name] for name in columns if name not in same}
    given: dict[str, Any] = {f"s_{name}": value for name, value in same.items()}
    if is_postgresql(db):
        given |= {f"u_{name}": column for name, column in own.items()}
    else:
        given["u_rows"] = json.dumps(list(zip(*own.values(), strict=True)))
    sql = _update_sql(
        table,
        tuple(keys),
        tuple(same),
        tuple(own),
        guard,
        on_postgresql=is_postgresql(db),
        returns=returns,
    )
    return sql, given


async def _driven(db: AsyncConnection, sql: str, given: Row) -> Iterable[Any]:
    """Run a text whose parameters stand in it once each, in this order, past SQLAlchemy."""
    if is_postgresql(db):
        return await fetch(db, _counted(sql), *given.values())
    return await in_thread(db, lambda connection: connection.execute(sql, given).fetchall())


@cache
def _counted(sql: str) -> str:
    """Return a text with PostgreSQL's marks for its parameters."""
    marks = count(1)
    return re.sub(r"(?<!:):[a-z]\w*", lambda _found: f"${next(marks)}", sql)


@cache
def _prepared(sql: str) -> TextClause:
    """Return a statement that is read once; there are few, as `_update` says."""
    return text(sql)


def among(db: AsyncConnection, column: ColumnElement[Any], values: Iterable[str]) -> Any:
    """Return the condition that a text column has one of `values`, however many, in one parameter.

    `in_` would write a placeholder for each, and the database would read a new statement each time.
    """
    if is_postgresql(db):
        return column == any_(literal(list(values), postgresql.ARRAY(Text)))
    listed = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(listed.c.value))


def _unnested(table: Table, names: Sequence[str]) -> str:
    arrays = ", ".join(
        f"cast(:u_{name} AS {_ARRAY_OF.get(str(table.c[name].type), 'text')}[])" for name in names
    )
    return f"unnest({arrays}) AS u({', '.join(names)})"


def _unpacked(names: Sequence[str]) -> str:
    columns = ", ".join(f"json_extract(value, '$[{at}]') AS {n}" for at, n in enumerate(names))
    return f"(SELECT {columns} FROM json_each(:u_rows)) AS u"  # noqa: S608 - names of our schema


@cache
def _update_sql(
    table: Table,
    keys: tuple[str, ...],
    same: tuple[str, ...],
    own: tuple[str, ...],
    guard: str,
    *,
    on_postgresql: bool,
    returns: bool,
) -> str:
    source = _unnested(table, own) if on_postgresql else _unpacked(own)
    joined = " AND ".join(f"{table.name}.{key} = u.{key}" for key in keys)
    values = {name: f":s_{name}" for name in same}
    values |= {name: f"u.{name}" for name in own if name not in keys}
    for name in values:
        if _is_cast(table, name, on_postgresql=on_postgresql):
            values[name] = f"cast({values[name]} AS json)"
    sets = ", ".join(f"{name} = {value}" for name, value in values.items())
    returning = ", ".join(f"{table.name}.{key}" for key in keys)
    # Names are our schema's own, never a caller's; values travel as parameters.
    return (
        f"UPDATE {table.name} SET {sets} FROM {source} "  # noqa: S608
        f"WHERE {joined}{' AND ' + guard if guard else ''}"
        f"{' RETURNING ' + returning if returns else ''}"
    )


def _is_cast(table: Table, name: str, *, on_postgresql: bool) -> bool:
    return on_postgresql and _is_json(table, name)
