"""What providers did lately: hand-overs and errors by slot, and how late their receipts come."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, case, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import first_id
from kentongan.receipt import RANK, REACHED_RANK, ReceiptKind
from kentongan.weights import ERROR_WINDOW, MOST_SLOW, SLOW_AFTER, SLOW_WINDOW
from ledger.dialect import db_now, is_postgresql
from ledger.engine import read_now
from ledger.looks import look
from ledger.providers import Who
from ledger.schema import attempts
from ledger.schema_providers import provider_tallies

#: Seconds of a slot.
SLOT = 5.0
_KEPT = 3600.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Messages that a provider took, and errors of its."""

    handed: int = 0
    errors: int = 0


async def add(db: AsyncConnection, tallies: Mapping[Who, Tally]) -> None:
    """Add what a worker saw since it last did. Sorted: two workers lock in one order."""
    slot = await read_now(db) // seconds(SLOT)
    insert = postgresql.insert if is_postgresql(db) else sqlite.insert
    for (channel, provider), tally in sorted(tallies.items()):
        made = insert(provider_tallies).values(
            channel=channel,
            provider=provider,
            slot=slot,
            handed=tally.handed,
            errors=tally.errors,
        )
        await db.execute(
            made.on_conflict_do_update(
                index_elements=["channel", "provider", "slot"],
                set_={
                    "handed": provider_tallies.c.handed + tally.handed,
                    "errors": provider_tallies.c.errors + tally.errors,
                },
            )
        )


async def lately(db: AsyncConnection) -> dict[Who, Tally]:
    """Return what providers did within `ERROR_WINDOW`."""
    return {
        (channel, provider): Tally(int(handed), int(errors))
        for channel, provider, handed, errors in await look(db, _LATELY)
    }


_LATELY = (
    select(
        *(provider_tallies.c.channel, provider_tallies.c.provider),
        *(func.sum(provider_tallies.c.handed), func.sum(provider_tallies.c.errors)),
    )
    .where(provider_tallies.c.slot > (db_now() - seconds(ERROR_WINDOW)) // seconds(SLOT))
    .group_by(provider_tallies.c.channel, provider_tallies.c.provider)
)


async def forget(db: AsyncConnection) -> None:
    """Delete what nobody looks at any more."""
    before = (await read_now(db) - seconds(_KEPT)) // seconds(SLOT)
    await db.execute(delete(provider_tallies).where(provider_tallies.c.slot < before))


async def slow(db: AsyncConnection, since: int) -> dict[Who, bool]:
    """Tell whose receipts come too late, of deliveries made since (milliseconds since 1970).

    Of the messages handed over within `SLOW_WINDOW`, those count as slow that were delivered after
    `SLOW_AFTER`, or are not yet. Where a provider has no message delivered at all, *sent* is as far
    as it tells, and is enough. Walks over the attempts of that time: ask seldom.
    """
    now = await read_now(db)
    at, after = attempts.c, seconds(SLOW_AFTER)
    delivered = at.receipt >= REACHED_RANK
    old = at.outcome_at <= now - after
    late = or_(
        and_(delivered, at.receipt_at - at.outcome_at > after),
        and_(old, at.receipt < RANK[ReceiptKind.SENT]),
    )
    stuck = and_(old, at.receipt == RANK[ReceiptKind.SENT])
    counts = [func.sum(case((which, 1), else_=0)) for which in (delivered, late, stuck)]
    rows = await db.execute(
        select(at.channel, at.provider, func.count(), *counts)
        .where(
            at.delivery_id > first_id("delivery", since),
            at.outcome == "accepted",
            at.outcome_at > now - seconds(SLOW_WINDOW),
        )
        .group_by(at.channel, at.provider)
    )
    return {
        (channel, provider): too_late + (waiting if arrived else 0) >= MOST_SLOW * count
        for channel, provider, count, arrived, too_late, waiting in rows
    }
