"""Writing the outcomes that nearly all sends have, accepted and no more, without reading a row.

What a row has already (an early receipt, the provider's id that came with it) the statements keep
by themselves. An outcome that comes too late hits nothing: it is left to who looks at each row.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.receipt import REACHED_RANK
from ledger.dialect import POSTGRESQL_NOW, POSTGRESQL_SHARED, is_postgresql
from ledger.driver import fetch, in_thread
from ledger.settled import Settled


async def settle_plain(db: AsyncConnection, settled: Sequence[Settled]) -> Sequence[Settled]:
    """Write what is plain and not late; return the rest, of which nothing was written.

    PostgreSQL locks the alerts, and then all rows, those of the rest as well, in their order.
    """
    if not any(s.is_plain for s in settled):
        return settled
    if is_postgresql(db):
        return await _in_one_statement(db, settled)
    groups = _grouped([s for s in settled if s.is_plain])
    if not await in_thread(db, lambda connection: _write_all(connection, groups)):
        return settled
    return [s for s in settled if not s.is_plain]


class _Alike(NamedTuple):
    """What outcomes have in common; a page has a group or two."""

    no: int
    tries: int
    receipt: int
    ask_in: float | None


_Groups = Mapping[_Alike, Mapping[str, str | None]]


def _grouped(settled: Sequence[Settled]) -> _Groups:
    """Return what the provider calls each delivery, by what they have in common."""
    groups: dict[_Alike, dict[str, str | None]] = {}
    for s in settled:
        one, no = s.attempt
        alike = _Alike(no, s.tries + s.charged, s.receipt, s.ask_in)
        groups.setdefault(alike, {})[one] = s.provider_id or None
    return groups


def _write_all(connection: sqlite3.Connection, groups: _Groups) -> bool:
    """Write all groups, or nothing where one came too late: that is rare."""
    [now] = connection.execute("SELECT kentongan_now()").fetchone()
    connection.execute("SAVEPOINT plain")
    done = all(_write(connection, alike, ids, now) for alike, ids in groups.items())
    if not done:
        connection.execute("ROLLBACK TO plain")
    connection.execute("RELEASE plain")
    return done


def _write(
    connection: sqlite3.Connection, alike: _Alike, ids: Mapping[str, str | None], now: int
) -> bool:
    given = {
        "no": alike.no,
        "tries": alike.tries,
        "receipt": alike.receipt,
        "now": now,
        "ask_at": None if alike.ask_in is None else now + seconds(alike.ask_in),
        # A key and its value cost less than two fields of a row; in the order of the index.
        "rows": json.dumps(ids, sort_keys=True),
    }
    if connection.execute(_TOLD, given).rowcount != len(ids):
        return False
    connection.execute(_MOVED, given)
    return True


# Without an outcome an attempt has no resolution either: what is open needs no look at it.
_TOLD = """
UPDATE attempts SET outcome = 'accepted', outcome_at = :now, reason = NULL, detail = NULL,
 ask_at = :ask_at, receipt = max(attempts.receipt, :receipt),
 provider_id = coalesce(given.value, attempts.provider_id)
FROM json_each(:rows) AS given
WHERE attempts.delivery_id = given.key AND attempts.no = :no AND attempts.outcome IS NULL
"""
#: As `best_receipt` says, of an attempt that has just been told.
_RECEIPT = f"""
CASE WHEN deliveries.receipt >= {REACHED_RANK} AND deliveries.receipt > told.receipt
 THEN deliveries.receipt ELSE told.receipt END"""
_SETTLED = f"work = 'settled', reason = NULL, due_at = NULL, receipt = {_RECEIPT}"
_MOVED = f"""
UPDATE deliveries SET {_SETTLED}, tries = :tries, settled_at = :now
FROM json_each(:rows) AS given
JOIN attempts AS told ON told.delivery_id = given.key AND told.no = :no
WHERE deliveries.id = given.key AND deliveries.attempts = :no AND deliveries.work = 'attempting'
"""  # noqa: S608 - of our own words


async def _in_one_statement(db: AsyncConnection, settled: Sequence[Settled]) -> Sequence[Settled]:
    left = await fetch(
        db,
        _ALL,
        [s.attempt.delivery_id for s in settled],
        [s.attempt.no for s in settled],
        [s.is_plain for s in settled],
        [s.provider_id or None for s in settled],
        [s.tries + s.charged for s in settled],
        [s.receipt for s in settled],
        [None if s.ask_in is None else seconds(s.ask_in) for s in settled],
        sorted({s.alert_id for s in settled}),
    )
    refs = {AttemptRef(DeliveryId(one), no) for one, no in left}
    return [s for s in settled if not s.is_plain or s.attempt in refs]


# The alerts' locks come before those of any row. What waits for a row's lock then sees it as it is
# by then, the attempt and the delivery; an update of a row that is locked so does as well.
_ALL = f"""
WITH held AS MATERIALIZED (SELECT {POSTGRESQL_SHARED.format(alert="id")} AS lock
 FROM unnest($8::text[]) AS id),
given AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::smallint[], $3::boolean[],
  $4::text[], $5::smallint[], $6::smallint[], $7::bigint[])
 AS g(delivery_id, no, is_plain, provider_id, tries, receipt, ask_in)),
told AS MATERIALIZED (SELECT g.delivery_id, g.no, g.is_plain AND a.outcome IS NULL AS is_ours,
  coalesce(g.provider_id, a.provider_id) AS provider_id, g.tries,
  greatest(g.receipt, a.receipt) AS receipt, g.ask_in, {POSTGRESQL_NOW} AS now
 FROM (SELECT count(lock) FROM held) AS all_held
 CROSS JOIN given AS g JOIN attempts AS a ON a.delivery_id = g.delivery_id AND a.no = g.no
 JOIN deliveries AS d ON d.id = g.delivery_id
 ORDER BY d.id, a.no FOR UPDATE OF d, a), -- as everyone: a column's order, not the database's
written AS (UPDATE attempts SET outcome = 'accepted', outcome_at = told.now, reason = NULL,
  detail = NULL, ask_at = told.now + told.ask_in, receipt = told.receipt,
  provider_id = told.provider_id
 FROM told
 WHERE told.is_ours AND attempts.delivery_id = told.delivery_id AND attempts.no = told.no),
moved AS (UPDATE deliveries SET {_SETTLED}, tries = told.tries, settled_at = told.now
 FROM told
 WHERE told.is_ours AND deliveries.id = told.delivery_id AND deliveries.attempts = told.no
  AND deliveries.work = 'attempting')
SELECT delivery_id, no FROM given
EXCEPT SELECT delivery_id, no FROM told WHERE is_ours
"""  # noqa: S608 - likewise
