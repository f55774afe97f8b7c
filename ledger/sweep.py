"""What is left to do, as the ledger knows it: the queue may forget, this does not."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control, Lane, Mode
from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.expansion import Stage
from kentongan.outcome import Reason
from ledger.claims import LEAST_LIFE
from ledger.dialect import db_now, is_postgresql, lock_alert
from ledger.schema import alert_progress, alerts, attempts, deliveries
from ledger.schema_people import suppressions

#: How many alerts one look takes up; the rest wait for the next, two seconds later.
_MOST = 500


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


async def open_alerts(db: AsyncConnection) -> list[OpenAlert]:
    """Return the alerts that are not closed, the urgent first, then the oldest."""
    rows = await db.execute(
        select(
            alerts.c.id,
            alerts.c.mode,
            alerts.c.lane,
            alerts.c.corrects,
            alerts.c.channels,
            alerts.c.control,
            alert_progress.c.stage,
            (alerts.c.expires_at <= db_now() + seconds(LEAST_LIFE)).label("expired"),
            (alert_progress.c.expand_at <= db_now()).label("due"),
        )
        .join(alert_progress, alert_progress.c.alert_id == alerts.c.id)
        .where(alert_progress.c.closed_at.is_(None))
        .order_by(alerts.c.lane, alerts.c.id)
        .limit(_MOST)
    )
    return [
        OpenAlert(
            id=row.id,
            mode=Mode(row.mode),
            lane=Lane(row.lane),
            corrects=row.corrects,
            channels=tuple(row.channels),
            expanded=row.stage == Stage.DONE,
            control=Control(row.control),
            expired=bool(row.expired),
            due=bool(row.due),
        )
        for row in rows
    ]


async def due_channels(db: AsyncConnection, running: Sequence[OpenAlert]) -> list[tuple[str, str]]:
    """Return the (alert, channel) pairs of `running` that have deliveries to send now."""
    waiting = or_(
        deliveries.c.work == Work.PENDING,
        and_(deliveries.c.work == Work.RETRY_WAIT, deliveries.c.due_at <= db_now()),
    )
    looks = [
        select(literal(alert.id).label("alert_id"), literal(channel).label("channel")).where(
            exists().where(
                deliveries.c.alert_id == alert.id, deliveries.c.channel == channel, waiting
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


async def end_waiting(db: AsyncConnection, alert: OpenAlert, limit: int) -> int:
    """Move a page of a stopped or expired alert's waiting deliveries to their end."""
    stopped = alert.control is Control.STOPPED
    if not stopped and not alert.expired:
        return 0
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
        .where(which, deliveries.c.work.in_((Work.PENDING, Work.RETRY_WAIT)))
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


async def close_if_done(db: AsyncConnection, alert: OpenAlert) -> bool:
    """Close an alert for which nothing is left: no open work, nobody left to be asked.

    An unknown that nobody can be asked about any more does not keep it open; it stays unknown.
    The exclusive lock waits for receipts that are being joined: one may ask for another attempt.
    """
    closable = _closable(alert)
    if (await db.execute(select(alert_progress.c.alert_id).where(closable))).first() is None:
        return False
    await lock_alert(db, alert.id, exclusive=True)
    closed = await db.execute(update(alert_progress).where(closable).values(closed_at=db_now()))
    return bool(closed.rowcount)


def _closable(alert: OpenAlert) -> ColumnElement[bool]:
    open_work = exists().where(
        deliveries.c.alert_id == alert.id,
        deliveries.c.work.in_((Work.PENDING, Work.ATTEMPTING, Work.RETRY_WAIT)),
    )
    asked_about = exists().where(attempts.c.alert_id == alert.id, attempts.c.ask_at.is_not(None))
    settled = alert_progress.c.stage == Stage.DONE
    if alert.control is Control.STOPPED or alert.expired:
        settled = or_(settled, literal(True))  # noqa: FBT003 - SQL's true
    return and_(
        alert_progress.c.alert_id == alert.id,
        alert_progress.c.closed_at.is_(None),
        settled,
        ~open_work,
        ~asked_about,
    )
