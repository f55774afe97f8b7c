"""Writing what a page of an audience adds; the cursor moves with the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from kentongan.expansion import Expanded, Point, Stage
from kentongan.ids import DeliveryId
from ledger.dialect import among, db_now, insert_many, insert_or_skip, lock_alert
from ledger.schema import (
    alert_people,
    alert_progress,
    alerts,
    attempts,
    deliveries,
    delivery_people,
)
from ledger.schema_people import suppressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an expansion has come."""

    stage: Stage
    cursor: str
    expand_at: int
    due: bool  # by the ledger's clock


async def progress(db: AsyncConnection, alert_id: str) -> Progress | None:
    row = (
        await db.execute(
            select(
                alert_progress.c.stage,
                alert_progress.c.cursor,
                alert_progress.c.expand_at,
                (alert_progress.c.expand_at <= db_now()).label("due"),
            ).where(alert_progress.c.alert_id == alert_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return Progress(
        stage=Stage(row.stage), cursor=row.cursor, expand_at=row.expand_at, due=bool(row.due)
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
            among(db, deliveries.c.address, {address for _, address in points}),
        )
    )
    return {(row.channel, row.address): DeliveryId(row.id) for row in rows}


async def barred(db: AsyncConnection, points: Sequence[Point]) -> set[Point]:
    """Return those of `points` that must not be written to."""
    rows = await db.execute(
        select(suppressions.c.channel, suppressions.c.address).where(
            suppressions.c.lifted_at.is_(None),
            among(db, suppressions.c.address, {address for _, address in points}),
        )
    )
    return {(row.channel, row.address) for row in rows}


class PageRunTwiceError(Exception):
    """Another worker wrote this page, or the alert no longer runs: roll back and look again."""


async def write_page(
    db: AsyncConnection,
    alert_id: str,
    *,
    was: Progress,
    page: Expanded,
    stage: Stage,
    cursor: str,
) -> None:
    """Write a page and move the cursor, in one transaction; raises `PageRunTwiceError`.

    The alert's shared lock: what a stop, or the closing of the alert, has seen stays true.
    """
    await lock_alert(db, alert_id, exclusive=False)
    done = stage is Stage.DONE
    moved = await db.execute(
        update(alert_progress)
        .where(
            alert_progress.c.alert_id == alert_id,
            alert_progress.c.stage == was.stage,
            alert_progress.c.cursor == was.cursor,
            alert_progress.c.closed_at.is_(None),
            exists().where(alerts.c.id == alert_id, alerts.c.control != Control.STOPPED),
        )
        .values(
            stage=stage,
            cursor=cursor,
            people=alert_progress.c.people + len(page.people),
            deliveries=alert_progress.c.deliveries + len(page.deliveries),
            expanded_at=db_now() if done else None,
            starts=0,  # whoever wrote a page did not die of it (ledger.starts)
            starter=None,
        )
    )
    if not moved.rowcount:
        raise PageRunTwiceError
    await insert_many(db, alert_people, [_person_row(alert_id, p) for p in page.people])
    try:
        async with db.begin_nested():
            await insert_many(db, deliveries, [_delivery_row(alert_id, d) for d in page.deliveries])
        replaced: dict[DeliveryId, DeliveryId] = {}
    except IntegrityError:
        replaced = await _insert_missing(db, alert_id, page)
    links = {(replaced.get(d, d), person) for d, person in page.links}
    await insert_many(
        db,
        delivery_people,
        [{"delivery_id": d, "person_id": p, "alert_id": alert_id} for d, p in sorted(links)],
    )


async def _insert_missing(
    db: AsyncConnection, alert_id: str, page: Expanded
) -> dict[DeliveryId, DeliveryId]:
    """Redo a bulk insert that met a row already there (COPY knows no ON CONFLICT)."""
    rows = [_delivery_row(alert_id, d) for d in page.deliveries]
    await db.execute(insert_or_skip(db, deliveries), rows)
    points = [(d.channel, d.address) for d in page.deliveries]
    there = await known(db, alert_id, points)
    return {d.id: there[d.channel, d.address] for d in page.deliveries}


def _person_row(alert_id: str, person: Any) -> dict[str, Any]:
    return {
        "id": person.id,
        "alert_id": alert_id,
        "recipient_id": person.recipient_id,
        "name": person.name,
        "locale": person.locale,
        "cause": person.cause,
    }


def _delivery_row(alert_id: str, new: Any) -> dict[str, Any]:
    return {
        "id": new.id,
        "alert_id": alert_id,
        "channel": new.channel,
        "address": new.address,
        "locale": new.locale,
        "name": new.name,
        "units": new.units,
        "work": new.work,
        "reason": new.reason,
    }
