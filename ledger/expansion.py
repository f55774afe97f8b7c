"""Writing what a page of an audience adds; the cursor moves with the rows."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from kentongan.expansion import Expanded, NewDelivery, NewLink, NewPerson, Point, Stage
from kentongan.ids import DeliveryId
from ledger.bulk_insert import Load, insert, insert_loads
from ledger.dialect import POSTGRESQL_NOW, among, db_now, is_postgresql, lock_alert
from ledger.driver import fetch, in_thread
from ledger.schema import (
    alert_people,
    alert_progress,
    alerts,
    attempts,
    deliveries,
    delivery_people,
)
from ledger.schema_people import suppressions

#: The most people that a page may have, and the seconds that writing it should take: on SQLite it
#: holds the write lock under 20 ms, on PostgreSQL a stop waits for it.
_MOST = 2000
_ON_SQLITE, _ON_POSTGRESQL = 0.012, 0.1
#: Smaller pages cost more to begin than to write; on a very busy machine they would be no quicker.
_LEAST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an expansion has come."""

    stage: Stage
    cursor: str
    expand_at: int
    due: bool  # by the ledger's clock
    control: Control  # of its alert


def size_after(db: AsyncConnection, people: int, seconds: float) -> int:
    """Return how many people the next page may have when one of `people` took so long to write."""
    aim = _ON_POSTGRESQL if is_postgresql(db) else _ON_SQLITE
    fits = int(people * min(2.0, aim / max(seconds, 1e-6)))
    return max(_LEAST, min(_MOST, fits))


async def progress(db: AsyncConnection, alert_id: str) -> Progress | None:
    row = (
        await db.execute(
            select(
                alert_progress.c.stage,
                alert_progress.c.cursor,
                alert_progress.c.expand_at,
                (alert_progress.c.expand_at <= db_now()).label("due"),
                alerts.c.control,
            )
            .join(alerts, alerts.c.id == alert_progress.c.alert_id)
            .where(alert_progress.c.alert_id == alert_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return Progress(
        stage=Stage(row.stage),
        cursor=row.cursor,
        expand_at=row.expand_at,
        due=bool(row.due),
        control=Control(row.control),
    )


async def is_original_quiet(db: AsyncConnection, alert_id: str) -> bool:
    """Tell whether no attempt of a stopped original is open any more."""
    open_one = select(attempts.c.no).where(
        attempts.c.alert_id == alert_id, attempts.c.outcome.is_(None)
    )
    return (await db.execute(open_one.limit(1))).first() is None


async def known(
    db: AsyncConnection, alert_id: str, points: Sequence[Point]
) -> dict[Point, DeliveryId]:
    """Return the deliveries that earlier pages made to these contact points."""
    rows = await db.execute(
        select(deliveries.c.id, deliveries.c.channel, deliveries.c.address).where(
            deliveries.c.alert_id == alert_id,
            deliveries.c.step == 0,
            deliveries.c.channel.in_({channel for channel, _ in points}),
            among(db, deliveries.c.address, {address for _, address in points}),
        )
    )
    return {(row.channel, row.address): DeliveryId(row.id) for row in rows}


async def barred(db: AsyncConnection, points: Sequence[Point]) -> set[Point]:
    """Return those of `points` that must not be written to."""
    rows = await db.execute(
        select(suppressions.c.channel, suppressions.c.address).where(
            suppressions.c.lifted_at.is_(None),
            suppressions.c.channel.in_({channel for channel, _ in points}),
            among(db, suppressions.c.address, {address for _, address in points}),
        )
    )
    return {(row.channel, row.address) for row in rows}


class PageRunTwiceError(Exception):
    """Another worker wrote this page, or the alert no longer runs: roll back and look again."""


class PointTwiceError(Exception):
    """A delivery of this page is there already: roll back, and ask which are (`known`)."""


async def write_page(
    db: AsyncConnection,
    alert_id: str,
    *,
    was: Progress,
    page: Expanded,
    stage: Stage,
    cursor: str,
) -> Control:
    """Write a page and move the cursor, in one transaction; return the control of the alert.

    Raises `PageRunTwiceError`, and `PointTwiceError` where it makes a delivery again.

    The alert's shared lock: what a stop, or the closing of the alert, has seen stays true.
    """
    more = len(page.people), len(page.deliveries)
    move = (alert_id, was.stage, was.cursor, stage, cursor, *more, stage is Stage.DONE)
    loads = (
        Load(table=deliveries, columns=NewDelivery._fields, rows=page.deliveries),
        Load(table=alert_people, columns=NewPerson._fields, rows=page.people),
        Load(table=delivery_people, columns=NewLink._fields, rows=page.links),
    )
    await lock_alert(db, alert_id, exclusive=False)
    try:
        if is_postgresql(db):
            control = _moved(await fetch(db, _ON_POSTGRESQL_MOVED, *move))
            await insert_loads(db, *loads)
        else:
            control = await in_thread(db, lambda connection: _write(connection, move, loads))
    except IntegrityError as error:
        raise PointTwiceError from error
    return control


def _write(connection: sqlite3.Connection, move: Sequence[Any], loads: Sequence[Load]) -> Control:
    control = _moved(connection.execute(_ON_SQLITE_MOVED, move).fetchall())
    insert(connection, loads)
    return control


def _moved(rows: Sequence[Any]) -> Control:
    if not rows:
        raise PageRunTwiceError
    return Control(rows[0][0])


_MOVED = """
UPDATE alert_progress SET stage = $4, cursor = $5, people = people + $6,
 deliveries = deliveries + $7, expanded_at = CASE WHEN $8 THEN {now} ELSE expanded_at END,
 starts = 0, starter = NULL -- whoever wrote a page did not die of it (ledger.starts)
WHERE alert_id = $1 AND stage = $2 AND cursor = $3 AND closed_at IS NULL
 AND EXISTS (SELECT 1 FROM alerts WHERE id = $1 AND control <> 'stopped')
RETURNING (SELECT control FROM alerts WHERE id = $1)"""
_ON_POSTGRESQL_MOVED = _MOVED.format(now=POSTGRESQL_NOW)
_ON_SQLITE_MOVED = _MOVED.format(now="kentongan_now()").replace("$", "?")
