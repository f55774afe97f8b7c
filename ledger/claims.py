"""Opening attempts: the one place where the intent to send is written before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, exists, func, insert, literal, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from kentongan.alert import Control
from kentongan.caps import Terms
from kentongan.clock import SECOND, seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef, DeliveryId
from ledger import caps
from ledger.dialect import among, db_now, is_postgresql, lock_alert, lock_suspects
from ledger.schema import alerts, attempts, deliveries
from ledger.schema_people import suppressions

#: Written out, not bound: a partial index serves only what the planner can read.
IS_PENDING = deliveries.c.work == literal_column(f"'{Work.PENDING}'")
RETRY_WAITS = deliveries.c.work == literal_column(f"'{Work.RETRY_WAIT}'")

#: What may have killed a worker is claimed apart from the rest: after its first death so many at
#: once, then alone, so that what is not to blame is not lost with what is three times over.
SUSPECTS = 16
_IS_SUSPECT = text("deliveries.deaths > 0")

#: With less life than this, in seconds, nothing is sent any more.
LEAST_LIFE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An attempt that was opened: the ledger knows that it may be sent."""

    attempt: AttemptRef
    address: str
    name: str
    locale: str
    units: int
    tries: int  # those charged so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one claim opened, and the alert's life in seconds, counted from before the claim.

    `held` are the deliveries that it would have opened, had a cap not held them back.
    """

    claimed: list[Claimed]
    remaining: float
    held: int = 0


def may_run(alert_id: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that the alert is active and lives long enough."""
    return exists().where(
        alerts.c.id == alert_id,
        alerts.c.control == Control.ACTIVE,
        alerts.c.expires_at > now + seconds(LEAST_LIFE),
    )


async def claim(
    db: AsyncConnection,
    *,
    alert_id: str,
    channel: str,
    sender: str,
    provider: str = "",
    worker: str,
    limit: int,
    after: str = "",
    terms: Terms | None = None,
) -> Window:
    """Open at most `limit` attempts: due retries first, then what was never tried, by id.

    Before all, a few retries by themselves that were open when a worker died.

    The alert's shared lock is a statement of its own: the next one then sees a stop that committed
    while it waited. `after` skips the ids that this turn has claimed before; `terms` are the caps
    that hold for it.
    """
    await caps.take_turns(db, terms)
    await lock_alert(db, alert_id, exclusive=False)
    now, deaths = await _suspicion(db, alert_id, channel)
    due = and_(RETRY_WAITS, deliveries.c.due_at <= now)
    rows: list[Any] = []
    if deaths:
        rows = await _open_suspects(db, alert_id, channel, deaths, limit=limit, now=now)
    is_suspect = bool(rows)
    if not is_suspect:
        due = and_(due, deliveries.c.deaths == 0)
        order = deliveries.c.due_at
        rows = await _open(db, alert_id, channel, due, order=order, limit=limit, now=now)
    if len(rows) < limit and not is_suspect:
        fresh = and_(IS_PENDING, deliveries.c.id > after)
        rows += await _open(
            db, alert_id, channel, fresh, order=deliveries.c.id, limit=limit - len(rows), now=now
        )
    expires = await db.scalar(select(alerts.c.expires_at).where(alerts.c.id == alert_id)) or 0
    found = len(rows)
    if terms is not None:
        last = expires - seconds(LEAST_LIFE)
        rows = await caps.admit(db, terms, rows, worker=worker, now=now, last=last)
    if rows:
        await _write_attempts(
            db,
            [row.id for row in rows],
            alert_id=alert_id,
            channel=channel,
            sender=sender,
            provider=provider,
            worker=worker,
            opened_at=now,
        )
    return Window(
        claimed=[_claimed(row) for row in rows],
        remaining=(expires - now) / SECOND,
        held=found - len(rows),
    )


async def _write_attempts(db: AsyncConnection, ids: Sequence[str], **same: str | int) -> None:
    """Write down the attempts that these deliveries, as they now stand, have opened."""
    opened = select(
        deliveries.c.id,
        deliveries.c.attempts,
        *(literal(value, attempts.c[name].type) for name, value in same.items()),
    ).where(among(db, deliveries.c.id, ids))
    await db.execute(insert(attempts).from_select(["delivery_id", "no", *same], opened))


async def _suspicion(db: AsyncConnection, alert_id: str, channel: str) -> tuple[int, int]:
    """Return the ledger's clock, and the most workers that a retry due now was lost with."""
    due = and_(_IS_SUSPECT, RETRY_WAITS, deliveries.c.due_at <= db_now())
    most = select(func.max(deliveries.c.deaths)).where(
        deliveries.c.alert_id == alert_id, deliveries.c.channel == channel, due
    )
    row = (await db.execute(select(db_now(), most.scalar_subquery()))).one()
    return int(row[0]), int(row[1] or 0)


async def _open_suspects(
    db: AsyncConnection, alert_id: str, channel: str, deaths: int, *, limit: int, now: int
) -> list[Any]:
    """Open a few retries that were open when a worker died, the most suspect first.

    One with its second death behind it is opened only while no other such is open anywhere: its
    third would be no proof against two.
    """
    due = and_(_IS_SUSPECT, RETRY_WAITS, deliveries.c.due_at <= now)
    order = deliveries.c.id
    if deaths > 1:
        await lock_suspects(db, alert_id, channel)
        other = deliveries.alias("other")
        alone = ~exists().where(
            other.c.alert_id == alert_id,
            other.c.channel == channel,
            text("other.deaths > 0"),
            other.c.deaths > 1,
            other.c.work == Work.ATTEMPTING,
        )
        last = and_(due, deliveries.c.deaths > 1, alone)
        if rows := await _open(db, alert_id, channel, last, order=order, limit=1, now=now):
            return rows
    which, few = and_(due, deliveries.c.deaths == 1), min(limit, SUSPECTS)
    return await _open(db, alert_id, channel, which, order=order, limit=few, now=now)


async def _open(
    db: AsyncConnection,
    alert_id: str,
    channel: str,
    which: ColumnElement[bool],
    *,
    order: Any,
    limit: int,
    now: int,
) -> list[Any]:
    barred = exists().where(
        suppressions.c.channel == deliveries.c.channel,
        suppressions.c.address == deliveries.c.address,
        suppressions.c.lifted_at.is_(None),
    )
    chosen = (
        select(deliveries.c.id)
        .where(
            deliveries.c.alert_id == alert_id,
            deliveries.c.channel == channel,
            which,
            ~barred,
            may_run(alert_id, now),
        )
        .order_by(order)
        .limit(limit)
    )
    if is_postgresql(db):
        chosen = chosen.with_for_update(skip_locked=True, of=deliveries)
    # A CTE that locks rows is computed once. A plain subquery in a nested loop would be computed
    # once a row, and each time skip what was moved already: more rows than the limit.
    first = chosen.cte("first")
    moved = await db.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(select(first.c.id)))
        .values(
            work=Work.ATTEMPTING,
            attempts=deliveries.c.attempts + 1,
            due_at=None,
            reason=None,
        )
        .returning(
            deliveries.c.id,
            deliveries.c.attempts,
            deliveries.c.address,
            deliveries.c.name,
            deliveries.c.locale,
            deliveries.c.units,
            deliveries.c.tries,
        )
    )
    return list(moved)


def _claimed(row: Any) -> Claimed:
    return Claimed(
        attempt=AttemptRef(DeliveryId(row.id), row.attempts),
        address=row.address,
        name=row.name,
        locale=row.locale,
        units=row.units,
        tries=row.tries,
    )


async def count_due(db: AsyncConnection, alert_id: str, channel: str, most: int) -> int:
    """Return how many deliveries could be claimed now, counting no further than `most`."""
    counts = [
        select(func.count())
        .select_from(
            select(deliveries.c.id)
            .where(
                deliveries.c.alert_id == alert_id,
                deliveries.c.channel == channel,
                which,
                may_run(alert_id, db_now()),
            )
            .limit(most)
            .subquery()
        )
        .scalar_subquery()
        for which in (IS_PENDING, and_(RETRY_WAITS, deliveries.c.due_at <= db_now()))
    ]
    return min(int((await db.execute(select(counts[0] + counts[1]))).scalar_one()), most)
