"""The statements of a claim in words, a few fixed texts that each connection reads once.

PostgreSQL opens a window in one: rows are locked, moved, and their attempts written. On SQLite,
which has one writer at a time, a look, a move and an insertion are as good; they cross to the
connection's thread together. The rows come back from there as one, since each that is fetched lets
go of the interpreter's lock and may wait long for it.
"""

import json
import sqlite3
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.dialect import POSTGRESQL_NOW, POSTGRESQL_SHARED, is_postgresql
from ledger.driver import fetch, in_thread
from ledger.looks import ask


class Which(StrEnum):
    """Kinds of deliveries that are claimed apart, as conditions: `$3` is now, `$1` the alert.

    Written out, not bound: a partial index serves only what the planner can read.
    """

    PENDING = "work = 'pending'"
    DUE = "work = 'retry_wait' AND due_at <= $3 AND deaths = 0"
    #: Open when a worker died, once.
    SUSPECT = "deaths > 0 AND work = 'retry_wait' AND due_at <= $3 AND deaths = 1"
    #: Twice; and no other such is open now, anywhere.
    LAST = (
        "deaths > 0 AND work = 'retry_wait' AND due_at <= $3 AND deaths > 1"
        " AND NOT EXISTS (SELECT 1 FROM deliveries AS other WHERE other.alert_id = $1"
        " AND other.channel = $2 AND other.deaths > 0 AND other.deaths > 1"
        " AND other.work = 'attempting')"
    )


class State(NamedTuple):
    """How an alert's channel stands as a claim begins; times in epoch microseconds."""

    now: int
    deaths: int | None  # the most workers that a retry due now was lost with
    retries: bool  # whether others are due
    expires_at: int | None  # None: there is no such alert


class Opener(NamedTuple):
    """Who opens attempts of what, through whom, and when."""

    alert_id: str
    channel: str
    sender: str
    provider: str
    worker: str
    now: int


class Opened(NamedTuple):
    """A delivery whose attempt was opened, as a claim moved it."""

    id: str
    attempts: int
    address: str
    name: str
    locale: str
    units: int
    tries: int


#: `t` has the clock, read once: on PostgreSQL when the alert's lock is held.
_STATE = """
WITH {t} SELECT t.now,
 (SELECT max(deaths) FROM deliveries WHERE alert_id = $1 AND channel = $2
  AND deaths > 0 AND work = 'retry_wait' AND due_at <= t.now),
 EXISTS (SELECT 1 FROM deliveries WHERE alert_id = $1 AND channel = $2
  AND deaths = 0 AND work = 'retry_wait' AND due_at <= t.now),
 (SELECT expires_at FROM alerts WHERE id = $1)
FROM t
"""
_HELD = f"""held AS MATERIALIZED (SELECT {POSTGRESQL_SHARED.format(alert="$1")}),
t AS MATERIALIZED (SELECT {POSTGRESQL_NOW} AS now FROM held)"""  # noqa: S608 - of our own words

#: What is due, each kind counted to `$4` and no further; and the workers that live.
_COUNT = """
SELECT CASE WHEN EXISTS (SELECT 1 FROM alerts WHERE id = $1 AND control = 'active'
  AND expires_at > t.now + cast($3 AS bigint)) THEN
 (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE alert_id = $1 AND channel = $2
  AND work = 'pending' LIMIT $4) AS pending)
 + (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE alert_id = $1 AND channel = $2
  AND work = 'retry_wait' AND due_at <= t.now LIMIT $4) AS due)
 ELSE 0 END,
 (SELECT count(*) FROM incarnations WHERE until_at > t.now)
FROM (SELECT :now AS now) AS t
"""

_MOVE = "UPDATE deliveries SET work = 'attempting', attempts = attempts + 1, due_at = NULL,"
_MOVE += " reason = NULL WHERE"

_ATTEMPTS = "delivery_id, no, alert_id, channel, sender, provider, worker, opened_at"
_NEW = "SELECT id, attempts, alert_id, channel, $1, $2, $3, $4 FROM deliveries WHERE id"


async def state(db: AsyncConnection, alert_id: str, channel: str) -> State:
    """Hold the alert's shared lock, and return how things stand.

    What it returns may be older than the lock, and only says what to try: whether a stop came while
    it waited, the next statement sees.
    """
    if is_postgresql(db):
        [row] = await fetch(db, _STATE.format(t=_HELD), alert_id, channel)
        return State(*row)

    def look(connection: sqlite3.Connection) -> State:
        [now] = connection.execute("SELECT kentongan_now()").fetchone()
        sql = _numbered(_STATE.format(t="t AS (SELECT $3 AS now)"))
        return State(*connection.execute(sql, (alert_id, channel, now)).fetchone())

    return await in_thread(db, look)


async def count(
    db: AsyncConnection, alert_id: str, channel: str, *, least: int, most: int
) -> tuple[int, int]:
    """Return how much is due of an alert that lives longer than `least`, and living workers."""
    [row] = await ask(db, _COUNT, alert_id, channel, least, most)
    return row[0], row[1]


async def open_some(
    db: AsyncConnection,
    which: Which,
    opener: Opener,
    *,
    least: int,
    limit: int,
    after: str = "",
    attempts: bool = True,
) -> list[Sequence[Any]]:
    """Move at most `limit` deliveries to `attempting` and return them, each like an `Opened`.

    Only while the alert is active and has more than `least` microseconds to live, and only what is
    not suppressed. Their attempts are written too, unless caps have yet to be asked.
    """
    given = (opener.alert_id, opener.channel, opener.now, least, limit, after)
    if is_postgresql(db):
        by = (opener.sender, opener.provider, opener.worker) if attempts else ()
        return list(await fetch(db, _opening(which, attempts=attempts), *given, *by))

    def move(connection: sqlite3.Connection) -> list[Sequence[Any]]:
        found, at, numbers = connection.execute(_choosing(which), given).fetchone()
        rows: list[Sequence[Any]] = json.loads(found)
        if rows:
            connection.execute(_MOVING, (at,))
        if rows and attempts:
            by = (opener.alert_id, opener.channel, *_by(opener))
            connection.execute(_WRITING_NUMBERED, (*by, numbers))
        return rows

    return await in_thread(db, move)


async def write_attempts(db: AsyncConnection, ids: Sequence[str], opener: Opener) -> None:
    """Write down the attempts that these deliveries, as they now stand, have opened."""
    if is_postgresql(db):
        sql = f"INSERT INTO attempts ({_ATTEMPTS}) {_NEW} = ANY($5)"
        await fetch(db, sql, *_by(opener), list(ids))
        return

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(_WRITING, (*_by(opener), json.dumps(list(ids))))

    await in_thread(db, write)


def _by(opener: Opener) -> tuple[str, str, str, int]:
    return opener.sender, opener.provider, opener.worker, opener.now


@cache
def _chosen(which: Which) -> str:
    order = "due_at" if which is Which.DUE else "id"
    return f"""
FROM deliveries WHERE alert_id = $1 AND channel = $2 AND id > $6 AND {which}
AND NOT EXISTS (SELECT 1 FROM suppressions WHERE suppressions.channel = deliveries.channel
 AND suppressions.address = deliveries.address AND suppressions.lifted_at IS NULL)
AND EXISTS (SELECT 1 FROM alerts WHERE alerts.id = $1 AND alerts.control = 'active'
 AND alerts.expires_at > cast($3 AS bigint) + cast($4 AS bigint))
ORDER BY {order} LIMIT $5"""  # noqa: S608 - of our own words


@cache
def _opening(which: Which, *, attempts: bool) -> str:
    # A CTE that locks rows is computed once. A plain subquery in a nested loop would be computed
    # once a row, and each time skip what was moved already: more rows than the limit.
    opened = f"""
, opened AS (INSERT INTO attempts ({_ATTEMPTS})
 SELECT id, attempts, cast($1 AS text), cast($2 AS text), $7, $8, $9, cast($3 AS bigint)
 FROM moved)"""  # noqa: S608 - of our own words
    return f"""
WITH first AS MATERIALIZED (SELECT id {_chosen(which)} FOR UPDATE OF deliveries SKIP LOCKED),
moved AS ({_MOVE} id IN (SELECT id FROM first) RETURNING {", ".join(Opened._fields)})
{opened if attempts else ""}
SELECT * FROM moved"""  # noqa: S608 - of our own words


@cache
def _choosing(which: Which) -> str:
    names = ", ".join(Opened._fields)
    then = names.replace("attempts", "attempts + 1 AS attempts")
    chosen = _numbered(f"SELECT rowid AS at, {then} {_chosen(which)}")
    # Beside the rows, what the two statements that follow take: where they lie, and their attempts.
    told = f"json_group_array(json_array({names}))"
    told += ", json_group_array(at), json_group_object(id, attempts)"
    return f"SELECT {told} FROM ({chosen})"  # noqa: S608 - of our own words


def _numbered(sql: str) -> str:
    """Return a text with SQLite's marks for its parameters."""
    return sql.replace("$", "?")


_LISTED = "(SELECT value FROM json_each(?))"
# By where they lie, which stays so within a transaction: no index of ids has to be asked for it.
_MOVING = f"{_MOVE} rowid IN {_LISTED}"
_WRITING = f"INSERT INTO attempts ({_ATTEMPTS}) {_NEW} IN {_LISTED}".replace("$", "?")
#: The same of deliveries whose numbers of attempts are given with them.
_NUMBERED = "SELECT key, value, ?, ?, ?, ?, ?, ? FROM json_each(?)"
_WRITING_NUMBERED = f"INSERT INTO attempts ({_ATTEMPTS}) {_NUMBERED}"
