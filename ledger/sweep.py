"""What is left to do, as the ledger knows it: the queue may forget, this does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control, Lane, Mode
from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.expansion import Stage
from kentongan.outcome import Reason
from ledger.claims import IS_PENDING, LEAST_LIFE, RETRY_WAITS
from ledger.dialect import db_now, is_postgresql, lock_alert
from ledger.looks import look
from ledger.schema import alert_progress, alerts, attempts, deliveries
from ledger.schema_people import suppressions

#: How many alerts one look takes up; the next look goes on after the last of them.
MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """An alert for which something may be left to do."""

    id: str
    mode: Mode
    lane: Lane
    corrects: str | None
    channels: tuple[str, ...]
    expanded: bool
    control: Control
    expired: bool
    due: bool  # its expansion may begin
    aside: bool  # its expansion was set aside

    @property
    def is_over(self) -> bool:
        """Whether nothing of it may be sent any more."""
        return self.control is Control.STOPPED or self.expired


async def open_alerts(
    db: AsyncConnection, after: OpenAlert | None = None, limit: int = MOST
) -> list[OpenAlert]:
    """Return alerts that are not closed and not still ahead: the urgent first, then the oldest."""
    if not await look(db, _ANY_OPEN):
        return []
    due = alert_progress.c.expand_at <= db_now()
    expired = alerts.c.expires_at <= db_now() + seconds(LEAST_LIFE)
    stopped = alerts.c.control == Control.STOPPED
    query = (
        select(
            alerts.c.id,
            alerts.c.mode,
            alerts.c.lane,
            alerts.c.corrects,
            alerts.c.channels,
            alerts.c.control,
            alert_progress.c.stage,
            expired.label("expired"),
            due.label("due"),
            alert_progress.c.set_aside_at.is_not(None).label("aside"),
        )
        .join(alert_progress, alert_progress.c.alert_id == alerts.c.id)
        .where(
            alert_progress.c.closed_at.is_(None),
            or_(due, expired, stopped, alerts.c.corrects.is_not(None)),
        )
        .order_by(alerts.c.lane, alerts.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(alerts.c.lane, alerts.c.id) > tuple_(after.lane, after.id))
    return [_open_alert(row) for row in await db.execute(query)]


_ANY_OPEN = select(alert_progress.c.alert_id).where(alert_progress.c.closed_at.is_(None)).limit(1)


def _open_alert(row: Any) -> OpenAlert:
    return OpenAlert(
        id=row.id,
        mode=Mode(row.mode),
        lane=Lane(row.lane),
        corrects=row.corrects,
        channels=tuple(row.channels),
        expanded=row.stage == Stage.DONE,
        control=Control(row.control),
        expired=bool(row.expired),
        due=bool(row.due),
        aside=bool(row.aside),
    )


async def due_channels(db: AsyncConnection, running: Sequence[OpenAlert]) -> list[tuple[str, str]]:
    """Return the (alert, channel) pairs of `running` that have deliveries to send now."""
    looks = [
        select(literal(alert.id).label("alert_id"), literal(channel).label("channel")).where(
            or_(
                *(
                    exists().where(
                        deliveries.c.alert_id == alert.id, deliveries.c.channel == channel, which
                    )
                    for which in (IS_PENDING, and_(RETRY_WAITS, deliveries.c.due_at <= db_now()))
                )
            )
        )
        for alert in running
        for channel in alert.channels
    ]
    found: list[tuple[str, str]] = []
    for start in range(0, len(looks), 100):  # SQLite takes at most 500 terms in a compound
        rows = await db.execute(union_all(*looks[start : start + 100]))
        found += [(row.alert_id, row.channel) for row in rows]
    return found


async def over_and_waiting(db: AsyncConnection, found: Sequence[OpenAlert]) -> list[OpenAlert]:
    """Return those that were stopped or expired and still have deliveries waiting."""
    over = [alert for alert in found if alert.is_over]
    if not over:
        return []
    rows = await db.execute(
        select(alert_progress.c.alert_id).where(
            alert_progress.c.alert_id.in_([alert.id for alert in over]), _waits()
        )
    )
    waiting = set(rows.scalars())
    return [alert for alert in over if alert.id in waiting]


def _waits() -> ColumnElement[bool]:
    """Return the condition that an alert of `alert_progress` has deliveries waiting."""
    theirs = and_(
        deliveries.c.alert_id == alert_progress.c.alert_id,
        deliveries.c.channel > "",  # any; it has SQLite choose the indexes of what waits
    )
    return or_(exists().where(theirs, IS_PENDING), exists().where(theirs, RETRY_WAITS))


async def end_waiting(db: AsyncConnection, alert: OpenAlert, limit: int) -> int:
    """Move a page of a stopped or expired alert's waiting deliveries to their end."""
    if not alert.is_over:
        return 0
    stopped = alert.control is Control.STOPPED
    end, reason = (Work.STOPPED, Reason.STOPPED) if stopped else (Work.EXPIRED, Reason.EXPIRED)
    return await _end(db, deliveries.c.alert_id == alert.id, end, reason, limit)


async def suppress_stragglers(db: AsyncConnection, alert_id: str, channel: str, limit: int) -> int:
    """End deliveries whose address was suppressed while they were being written."""
    barred = exists().where(
        suppressions.c.channel == deliveries.c.channel,
        suppressions.c.address == deliveries.c.address,
        suppressions.c.lifted_at.is_(None),
    )
    return await _end(
        db,
        and_(deliveries.c.alert_id == alert_id, deliveries.c.channel == channel, barred),
        Work.SUPPRESSED,
        Reason.SUPPRESSED,
        limit,
    )


async def _end(
    db: AsyncConnection, which: ColumnElement[bool], end: Work, reason: Reason, limit: int
) -> int:
    chosen = (
        select(deliveries.c.id)
        .where(which, or_(IS_PENDING, RETRY_WAITS))
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    if is_postgresql(db):
        chosen = chosen.with_for_update(skip_locked=True)
    moved = await db.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(chosen))
        .values(work=end, reason=func.coalesce(deliveries.c.reason, reason), due_at=None)
    )
    return moved.rowcount


async def closable(db: AsyncConnection, found: Sequence[OpenAlert]) -> list[OpenAlert]:
    """Return those for which nothing is left, as far as a look without a lock can tell."""
    rows = await db.execute(
        select(alert_progress.c.alert_id).where(
            alert_progress.c.alert_id.in_([alert.id for alert in found]), _nothing_is_left()
        )
    )
    done = set(rows.scalars())
    return [alert for alert in found if alert.id in done]


async def close_if_done(db: AsyncConnection, alert: OpenAlert) -> bool:
    """Close an alert for which nothing is left: no open work, nobody left to be asked.

    An unknown that nobody can be asked about any more does not keep it open; it stays unknown.
    The exclusive lock waits for pages and receipts under way: one may add to what is left.
    """
    await lock_alert(db, alert.id, exclusive=True)
    closed = await db.execute(
        update(alert_progress)
        .where(alert_progress.c.alert_id == alert.id, _nothing_is_left())
        .values(closed_at=db_now())
    )
    return bool(closed.rowcount)


def _nothing_is_left() -> ColumnElement[bool]:
    """Return the condition that an alert may be closed; each part has an index that is small.

    Only a stop leaves people out: whose alert expired before they were found are found all the
    same, and shown as expired.
    """
    stopped = exists().where(
        alerts.c.id == alert_progress.c.alert_id, alerts.c.control == Control.STOPPED
    )
    theirs = attempts.c.alert_id == alert_progress.c.alert_id
    return and_(
        alert_progress.c.closed_at.is_(None),
        or_(alert_progress.c.stage == Stage.DONE, stopped),
        ~_waits(),
        ~exists().where(theirs, attempts.c.outcome.is_(None)),
        ~exists().where(theirs, attempts.c.ask_at.is_not(None)),
    )
