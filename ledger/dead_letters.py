"""Dead letters: deliveries that were given up, and expansions set aside; and trying them again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.outcome import Reason
from kentongan.settling import MOST_DEATHS
from ledger import deliveries as shown_deliveries
from ledger.audiences import may_have_got
from ledger.claims import LEAST_LIFE
from ledger.deliveries import Shown
from ledger.dialect import db_now
from ledger.engine import read_now
from ledger.schema import alert_progress, alerts, deliveries
from ledger.schema_people import suppressions
from ledger.settle import lock_running

#: Failures that no try of ours can mend: nobody has the address, or its owner wants nothing.
NOT_DEAD = (
    Reason.INVALID_ADDRESS,
    Reason.NO_ROUTE,
    Reason.OPTED_OUT,
    Reason.GONE,
    Reason.BLOCKED_HOST,
)
#: What is counted of those that stay; whoever has more is told this.
MOST_COUNTED = 10_000
#: Who has less life than this, in seconds, would expire before it is sent.
_LEAST = LEAST_LIFE + 5

#: Written out: the partial index serves only what the planner can read.
_FAILED = text("deliveries.state = 'failed'")


class Hindrance(StrEnum):
    """Why a dead letter is not tried again: the first that holds."""

    STOPPED = "stopped"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    MAY_HAVE_GOT = "may_have_got"  # only when that is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which dead letters; what is empty asks for nothing."""

    ids: Sequence[str] = ()
    alert: str | None = None
    channels: Sequence[str] = ()
    reasons: Sequence[str] = ()
    made_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that was given up, and what keeps it from being tried again."""

    delivery: Shown
    hindrance: Hindrance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """An alert whose people were not all found: looking for them killed worker after worker."""

    alert_id: str
    at: int
    hindrance: Hindrance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Deliveries by alert that will be tried again, and by hindrance those that will not."""

    by_alert: Mapping[str, int]
    left: Mapping[Hindrance, int]
    more: bool  # another call finds more


async def page(
    db: AsyncConnection, which: Which, *, before: str | None = None, limit: int
) -> list[DeadLetter]:
    """Return dead letters, the latest first, those made before the id `before`."""
    query = _dead(which, deliveries.c.id, _hindrance().label("hindrance"))
    if before is not None:
        query = query.where(deliveries.c.id < before)
    rows = (await db.execute(query.order_by(deliveries.c.id.desc()).limit(limit))).all()
    shown = {one.id: one for one in await shown_deliveries.several(db, [row.id for row in rows])}
    return [
        DeadLetter(
            delivery=shown[row.id],
            hindrance=Hindrance(row.hindrance) if row.hindrance else None,
        )
        for row in rows
    ]


async def set_aside(db: AsyncConnection, which: Which, limit: int = 100) -> list[SetAside]:
    """Return alerts whose expansion was set aside; only a filter by alert narrows them."""
    if which.ids or which.channels or which.reasons:
        return []
    query = (
        select(
            alert_progress.c.alert_id,
            alert_progress.c.set_aside_at,
            _of_alert(else_=None).label("hindrance"),
        )
        .join(alerts, alerts.c.id == alert_progress.c.alert_id)
        .where(alert_progress.c.set_aside_at.is_not(None), alert_progress.c.closed_at.is_(None))
        .order_by(alert_progress.c.alert_id.desc())
        .limit(limit)
    )
    if which.alert is not None:
        query = query.where(alerts.c.id == which.alert)
    if which.made_by is not None:
        query = query.where(alerts.c.made_by == which.made_by)
    return [
        SetAside(
            alert_id=row.alert_id,
            at=row.set_aside_at,
            hindrance=Hindrance(row.hindrance) if row.hindrance else None,
        )
        for row in await db.execute(query)
    ]


async def replay(db: AsyncConnection, which: Which, *, even_if_got: bool, limit: int) -> Replayed:
    """Try dead letters again, at most `limit`, as if they had never been tried. Idempotent.

    Never of an alert that is over, never to the suppressed; to those who may have got it only with
    `even_if_got`. One that was poison flies alone, and is set aside again by the next death.
    """
    left = await _left(db, which, even_if_got=even_if_got)
    free: list[ColumnElement[bool]] = [_hindrance().is_(None)]
    if even_if_got:
        free.append(_hindrance() == Hindrance.MAY_HAVE_GOT)
    query = _dead(which, deliveries.c.id, deliveries.c.alert_id).where(or_(*free))
    rows = (await db.execute(query.order_by(deliveries.c.id).limit(limit + 1))).all()
    chosen = rows[:limit]
    # The alerts' locks: none of them is stopped, or closed, between the look and the write.
    running = await lock_running(db, sorted({row.alert_id for row in chosen}))
    now = await read_now(db)
    ids = [
        row.id
        for row in chosen
        if running[row.alert_id].work_for(Work.RETRY_WAIT, now)[0] is Work.RETRY_WAIT
    ]
    moved = await db.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), _FAILED, ~_barred())
        .values(
            work=Work.RETRY_WAIT,
            due_at=now,
            tries=0,
            deaths=case(
                (deliveries.c.deaths >= MOST_DEATHS, MOST_DEATHS - 1), else_=deliveries.c.deaths
            ),
            settled_at=None,
        )
        .returning(deliveries.c.alert_id)
    )
    by_alert: dict[str, int] = {}
    for row in moved:
        by_alert[row.alert_id] = by_alert.get(row.alert_id, 0) + 1
    await _reopen(db, list(by_alert))
    return Replayed(by_alert=by_alert, left=left, more=len(rows) > limit)


async def start_again(db: AsyncConnection, which: Which) -> list[str]:
    """Have expansions that were set aside begun again; return their alerts."""
    again = [one.alert_id for one in await set_aside(db, which) if one.hindrance is None]
    await db.execute(
        update(alert_progress)
        .where(alert_progress.c.alert_id.in_(again))
        .values(set_aside_at=None, starts=0, starter=None)
    )
    return again


async def _left(db: AsyncConnection, which: Which, *, even_if_got: bool) -> Mapping[Hindrance, int]:
    found = _dead(which, _hindrance().label("hindrance")).limit(MOST_COUNTED).subquery()
    rows = await db.execute(
        select(found.c.hindrance, func.count().label("many"))
        .where(found.c.hindrance.is_not(None))
        .group_by(found.c.hindrance)
    )
    counted = {Hindrance(row.hindrance): int(row.many) for row in rows}
    if even_if_got:
        counted.pop(Hindrance.MAY_HAVE_GOT, None)
    return counted


async def _reopen(db: AsyncConnection, alert_ids: Sequence[str]) -> None:
    """Have the sweep look at these alerts again; they may have been closed."""
    await db.execute(
        update(alert_progress)
        .where(alert_progress.c.alert_id.in_(alert_ids))
        .values(closed_at=None, counted_at=None)
    )


def _dead(which: Which, *columns: Any) -> Select[Any]:
    query = (
        select(*columns)
        .select_from(deliveries)
        .join(alerts, alerts.c.id == deliveries.c.alert_id)
        .where(
            _FAILED,
            or_(deliveries.c.reason.is_(None), deliveries.c.reason.not_in(NOT_DEAD)),
        )
    )
    if which.ids:
        query = query.where(deliveries.c.id.in_(which.ids))
    if which.alert is not None:
        query = query.where(deliveries.c.alert_id == which.alert)
    if which.channels:
        query = query.where(deliveries.c.channel.in_(which.channels))
    if which.reasons:
        query = query.where(deliveries.c.reason.in_(which.reasons))
    if which.made_by is not None:
        query = query.where(alerts.c.made_by == which.made_by)
    return query


def _hindrance() -> ColumnElement[Any]:
    return _of_alert(
        else_=case(
            (_barred(), Hindrance.SUPPRESSED), (may_have_got(), Hindrance.MAY_HAVE_GOT), else_=None
        )
    )


def _of_alert(*, else_: Any) -> ColumnElement[Any]:
    return case(
        (alerts.c.control == Control.STOPPED, Hindrance.STOPPED),
        (alerts.c.expires_at <= db_now() + seconds(_LEAST), Hindrance.EXPIRED),
        else_=else_,
    )


def _barred() -> ColumnElement[bool]:
    return exists().where(
        and_(
            suppressions.c.channel == deliveries.c.channel,
            suppressions.c.address == deliveries.c.address,
            suppressions.c.lifted_at.is_(None),
        )
    )
