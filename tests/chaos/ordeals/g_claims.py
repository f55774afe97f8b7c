"""Two workers on the same claim, and a settle that comes after the lease was lost."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import func, select, update

from kentongan.delivery import Work
from ledger import unknowns
from ledger.claims import Claimed, claim
from ledger.engine import Ledger
from ledger.leases import begin
from ledger.schema import attempts, deliveries, incarnations, provider_events
from ledger.settle import Settled, settle
from tests.chaos.ordeal import Ordeal
from tests.chaos.stage import Stage
from tests.fakes.running import Running, expanded

_AT_ONCE = 100


def claims(stage: Stage, count: int) -> None:
    """`count` deliveries, each wanted by two, and settled by both once the lease is gone."""
    asyncio.run(_claims(stage, count))


async def _claims(stage: Stage, count: int) -> None:
    two = [Ledger.open(stage.url) for _ in range(2)]
    try:
        for start in range(0, count, _AT_ONCE):
            await _round(stage, two, min(_AT_ONCE, count - start), start)
    finally:
        for ledger in two:
            await ledger.close()


async def _round(stage: Stage, two: Sequence[Ledger], count: int, start: int) -> None:
    people = {f"person {n}": [("sms", f"+6281{start + n:07d}")] for n in range(count)}
    running = await expanded(two[0], people)
    opened = await asyncio.gather(*(_clear(ledger, running) for ledger in two))
    stage.strike("claimed")
    times = Counter(one.attempt for page in opened for one in page)
    if len(times) != count or set(times.values()) != {1}:
        stage.blame(f"of {count} deliveries {len(times)} were claimed, one {max(times.values())}x")
    await _lapse(two[0])
    wanted = [
        Settled(
            attempt=one.attempt,
            alert_id=running.alert.id,
            channel="sms",
            outcome="accepted",
            work=Work.SETTLED,
            provider_id=f"SM{one.attempt}",
        )
        for page in opened
        for one in page
    ]
    late = await asyncio.gather(_declare(two[0], count), _settle(two[1], wanted))
    await _declare(two[0], count)
    await _judge(stage, two[0], running, count, late[1])


async def _clear(ledger: Ledger, running: Running) -> list[Claimed]:
    found: list[Claimed] = []
    async with ledger.write() as db:
        worker = await begin(db, "chaos:0")
    empty = 0
    while empty < 5:
        async with ledger.write() as db:
            window = await claim(
                db,
                alert_id=running.alert.id,
                channel="sms",
                sender="+1500",
                worker=worker,
                limit=3,
            )
        found += window.claimed
        # Empty may mean that the other holds the rows that are left.
        empty = 0 if window.claimed else empty + 1
    return found


async def _lapse(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await db.execute(update(incarnations).values(until_at=0))


async def _declare(ledger: Ledger, limit: int) -> None:
    async with ledger.bulk() as db:
        await unknowns.declare_unknown(db, limit)


async def _settle(ledger: Ledger, wanted: Sequence[Settled]) -> int:
    """Settle in small pieces, so that the settler gets in between."""
    late = 0
    for start in range(0, len(wanted), 10):
        async with ledger.bulk() as db:
            late += await settle(db, wanted[start : start + 10])
    return late


async def _judge(stage: Stage, ledger: Ledger, running: Running, count: int, late: int) -> None:
    mine = attempts.c.alert_id == running.alert.id
    theirs = deliveries.c.alert_id == running.alert.id
    async with ledger.read() as db:
        outcomes = await db.execute(
            select(attempts.c.outcome, func.count()).where(mine).group_by(attempts.c.outcome)
        )
        by_outcome: dict[str | None, int] = {row[0]: row[1] for row in outcomes}
        kept = await db.scalar(
            select(func.count())
            .select_from(provider_events)
            .join(deliveries, deliveries.c.id == provider_events.c.delivery_id)
            .where(provider_events.c.kind == "late_outcome", theirs)
        )
    told = f"{by_outcome}, {late} late, {kept} kept"
    if by_outcome.get("unknown", 0) != late or kept != late or sum(by_outcome.values()) != count:
        stage.blame(f"each attempt should be settled once, or kept as late: {told}")
    stage.deliveries += count
    stage.beside["late"] = stage.beside.get("late", 0) + late


ORDEALS = [Ordeal(name="two on one claim", run=claims, plain=300, full=1000, peopled=False)]
