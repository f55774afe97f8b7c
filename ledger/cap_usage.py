"""How much of the caps is used, for those who watch: what was spent, and what is held back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.caps import HELD_BY_A_CAP, Caps
from kentongan.outcome import Reason
from kentongan.spending import Period, Standing, day_of, ends_at, first_day
from ledger.caps import spent_by
from ledger.claims import RETRY_WAITS
from ledger.engine import read_now
from ledger.schema import deliveries
from ledger.schema_caps import spending


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a channel took in a period: units, and millionths of the currency."""

    units: int
    cost: int


ByChannel = Mapping[str, Spent]


async def standings(db: AsyncConnection, caps: Caps) -> Sequence[Standing]:
    """Return what was spent today and this month, beside what may be."""
    now = await read_now(db)
    spent = await spent_by(db, caps, now)
    today = day_of(now, caps.zone)
    return [
        Standing(
            period=period,
            spent=spent[period],
            most=caps.most.get(period),
            ends_at=ends_at(period, today, caps.zone),
        )
        for period in Period
    ]


async def by_channel(db: AsyncConnection, caps: Caps, period: Period, now: int) -> ByChannel:
    """Return what each channel took so far in a period."""
    today = day_of(now, caps.zone)
    rows = await db.execute(
        select(
            spending.c.channel,
            func.sum(spending.c.units).label("units"),
            func.sum(spending.c.cost).label("cost"),
        )
        .where(
            spending.c.currency == caps.currency,
            spending.c.day >= first_day(period, today).isoformat(),
            spending.c.day <= today.isoformat(),
        )
        .group_by(spending.c.channel)
        .order_by(spending.c.channel)
    )
    return {
        row.channel: Spent(units=max(0, int(row.units)), cost=max(0, int(row.cost))) for row in rows
    }


async def held(db: AsyncConnection) -> Mapping[tuple[str, Reason], int]:
    """Return how many deliveries caps hold back now, by channel and reason.

    A walk over what waits to be tried again: ask seldom.
    """
    rows = await db.execute(
        select(deliveries.c.channel, deliveries.c.reason, func.count().label("n"))
        .where(RETRY_WAITS, deliveries.c.reason.in_(sorted(HELD_BY_A_CAP)))
        .group_by(deliveries.c.channel, deliveries.c.reason)
        .order_by(deliveries.c.channel, deliveries.c.reason)
    )
    return {(row.channel, Reason(row.reason)): row.n for row in rows}
