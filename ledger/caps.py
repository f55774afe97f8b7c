"""Caps at the claim: what a claim must hold back, and what it is about to spend.

A claim opens nothing that a cap forbids; it sets it aside to wait, with the reason to be seen. Both
looks are one statement for a whole window, and none where no cap is set.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from sqlalchemy import ColumnElement, ScalarSelect, Text, cast, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Mode
from kentongan.caps import Caps, Terms
from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.ids import first_id
from kentongan.outcome import Reason
from kentongan.person_rate import free_at, longest
from kentongan.spending import Period, day_of, ends_at, first_day
from ledger.audiences import may_have_left
from ledger.dialect import is_postgresql, lock_alert, update_many
from ledger.schema import alerts, attempts, deliveries
from ledger.schema_caps import spending

#: Rows of one day and channel; as many claims count at once without waiting for one another.
_SHARDS = 16
#: What the spend cap holds back is looked at again after so long: it may have been raised.
LOOK_AGAIN = seconds(900)
#: A delivery is attempted no later than its alert lives (7 days after it is sent), and a day more.
_OLDEST_MS = 8 * 86_400 * 1000


@dataclass(frozen=True, slots=True)
class _Held:
    """A row that must wait, until when (epoch microseconds) and why."""

    row: Any
    until: int
    reason: Reason


async def take_turns(db: AsyncConnection, terms: Terms | None) -> None:
    """Have claims under the same cap follow one another until the transaction ends.

    Else two of them, each within it, would break it together. It comes before the alert's own
    lock: who waits here must not keep a stop waiting. What no cap holds up takes no turn.
    """
    if terms is not None and terms.may_hold:
        name = "caps" if terms.most else f"caps:{terms.channel}"
        await lock_alert(db, name, exclusive=True)


async def admit(
    db: AsyncConnection,
    terms: Terms,
    rows: Sequence[Any],
    *,
    worker: str,
    now: int,
    last: int,
) -> list[Any]:
    """Return those rows of a claim that may go, and count what they cost; put back the others.

    The earlier ids go first. `rows` were moved to `attempting` in this transaction and have no
    attempt yet. What could not go before `last`, the end of its alert's life, is expired at once,
    as with any other wait.
    """
    rows = sorted(rows, key=lambda row: row.id)
    held = await _over_rate(db, terms, rows, now)
    rest = _without(rows, held)
    held += await _over_budget(db, terms, rest, now)
    await _set_aside(db, held, last)
    admitted = _without(rest, held)
    await _spend(db, terms, admitted, worker=worker, now=now)
    return admitted


def _without(rows: Sequence[Any], held: Sequence[_Held]) -> list[Any]:
    ids = {one.row.id for one in held}
    return [row for row in rows if row.id not in ids] if ids else list(rows)


async def _over_rate(
    db: AsyncConnection, terms: Terms, rows: Sequence[Any], now: int
) -> list[_Held]:
    if not terms.limits:
        return []
    had = await lately(db, terms, {row.address for row in rows}, now)
    held = []
    for row in rows:
        mine = had.setdefault(row.address, [])
        until = free_at(mine, terms.limits, now)
        if until > now:
            held.append(_Held(row, until, Reason.PERSON_RATE))
        else:
            mine.append(now)
    return held


async def lately(
    db: AsyncConnection, terms: Terms, addresses: Collection[str], now: int
) -> dict[str, list[int]]:
    """Return when each address was last written to, ascending, as far back as a limit looks.

    An attempt that certainly was not sent, and a test, bothered nobody.
    """
    since = now - seconds(longest(terms.limits))
    oldest = time.time_ns() // 1_000_000 - longest(terms.limits) * 1000 - _OLDEST_MS
    rows = await db.execute(
        select(deliveries.c.address, _opened_since(since).label("opened")).where(
            deliveries.c.channel == terms.channel,
            deliveries.c.address.in_(sorted(addresses)),
            deliveries.c.id >= first_id("delivery", oldest),
            or_(deliveries.c.settled_at > since, deliveries.c.settled_at.is_(None), _goes_on()),
            _mode() != Mode.TEST,
        )
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        if row.opened is not None:
            found.setdefault(row.address, []).extend(map(int, row.opened.split(",")))
    return {address: sorted(moments) for address, moments in found.items()}


def _opened_since(since: int) -> ScalarSelect[Any]:
    """Return when attempts of a delivery were opened, separated by commas.

    Asked of each delivery by itself: joined, a planner that knows little of these tables would
    read all attempts that there ever were.
    """
    return (
        select(func.aggregate_strings(cast(attempts.c.opened_at, Text), ","))
        .where(
            attempts.c.delivery_id == deliveries.c.id,
            attempts.c.opened_at > since,
            may_have_left(),
        )
        .scalar_subquery()
    )


def _mode() -> ScalarSelect[Any]:
    return select(alerts.c.mode).where(alerts.c.id == deliveries.c.alert_id).scalar_subquery()


def _goes_on() -> ColumnElement[bool]:
    """Return the condition that a delivery was taken up again after it had been settled."""
    return deliveries.c.work.not_in((Work.SETTLED, Work.FAILED))


async def _over_budget(
    db: AsyncConnection, terms: Terms, rows: Sequence[Any], now: int
) -> list[_Held]:
    """Hold back all from the first on that would cost more than is left."""
    if not terms.most or not rows:
        return []
    spent = await spent_by(db, terms.caps, now)
    left = {period: most - spent[period] for period, most in terms.most.items()}
    for place, row in enumerate(rows):
        cost = terms.cost(row.address, row.units)
        full = [period for period, amount in left.items() if cost > amount]
        if full:
            until = looked_at_again(full, terms.caps, now)
            return [_Held(one, until, Reason.SPEND_CAP) for one in rows[place:]]
        left = {period: amount - cost for period, amount in left.items()}
    return []


def looked_at_again(full: Sequence[Period], caps: Caps, now: int) -> int:
    """Return until when what cannot be paid waits: the end of all full periods, or less."""
    day = day_of(now, caps.zone)
    return min(now + LOOK_AGAIN, max(ends_at(period, day, caps.zone) for period in full))


async def _set_aside(db: AsyncConnection, held: Sequence[_Held], last: int) -> None:
    """Have rows wait as if they had never been claimed."""
    waiting = [
        {
            "id": one.row.id,
            "work": Work.RETRY_WAIT if one.until <= last else Work.EXPIRED,
            "attempts": one.row.attempts - 1,
            "due_at": one.until if one.until <= last else None,
            "reason": one.reason,
        }
        for one in held
    ]
    await update_many(db, deliveries, waiting, keys=("id",))


async def _spend(
    db: AsyncConnection, terms: Terms, rows: Sequence[Any], *, worker: str, now: int
) -> None:
    cost = sum(terms.cost(row.address, row.units) for row in rows)
    units = sum(row.units for row in rows)
    await spend(db, terms, cost=cost, units=units, worker=worker, now=now)


async def spend(
    db: AsyncConnection, terms: Terms, *, cost: int, units: int, worker: str, now: int
) -> None:
    """Count what is about to be spent; negative amounts are given back."""
    if not cost and not (units and terms.channel in terms.caps.prices.channels):
        return
    insert = postgresql.insert if is_postgresql(db) else sqlite.insert
    row = {
        "currency": terms.caps.currency,
        "day": day_of(now, terms.caps.zone).isoformat(),
        "channel": terms.channel,
        "shard": crc32(worker.encode()) % _SHARDS,
        "units": units,
        "cost": cost,
    }
    added = insert(spending).values(row)
    await db.execute(
        added.on_conflict_do_update(
            index_elements=["currency", "day", "channel", "shard"],
            set_={
                "units": spending.c.units + added.excluded.units,
                "cost": spending.c.cost + added.excluded.cost,
            },
        )
    )


async def spent_by(db: AsyncConnection, caps: Caps, now: int) -> Mapping[Period, int]:
    """Return what was spent so far today and this month."""
    today = day_of(now, caps.zone)
    rows = await db.execute(
        select(spending.c.day, func.sum(spending.c.cost).label("cost"))
        .where(
            spending.c.currency == caps.currency,
            spending.c.day >= first_day(Period.MONTH, today).isoformat(),
            spending.c.day <= today.isoformat(),
        )
        .group_by(spending.c.day)
    )
    by_day = {row.day: int(row.cost) for row in rows}
    return {
        # What was given back after midnight may be more than was spent since.
        Period.DAY: max(0, by_day.get(today.isoformat(), 0)),
        Period.MONTH: max(0, sum(by_day.values())),
    }
