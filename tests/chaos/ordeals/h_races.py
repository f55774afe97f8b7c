"""Stop, opt-out and expiry race the claim: no attempt is opened after their commit."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import func, select

from kentongan.alert import Control
from kentongan.clock import Micros, seconds
from ledger import alerts, suppressions
from ledger.claims import LEAST_LIFE, claim
from ledger.engine import SERVICE_PATIENCE, Ledger, LedgerAwayError, read_now
from ledger.leases import begin
from ledger.schema import attempts, deliveries
from tests.chaos.ordeal import Engine, Ordeal
from tests.chaos.stage import Stage
from tests.fakes.running import Running, expanded

_CLAIMERS = 16
#: Workers that they belong to. On SQLite as many as `kentongan up` starts: its write lock goes to
#: whoever looks first when it is free, and writers of one process take turns.
_WORKERS = {Engine.SQLITE: 2, Engine.POSTGRESQL: 16}
#: Deliveries of one race: so many that the claimers are at work when the order comes.
_CROWD = 120
#: Seconds in which 99 of 100 stops must have committed.
_SOON = 0.2
_ADDRESS = "+62810000000"

Order = Callable[[Ledger, Running], Awaitable[int]]


async def stop(ledger: Ledger, running: Running) -> int:
    """Stop the alert; return since when nothing may be opened."""
    async with ledger.write() as db:
        now = await read_now(db)
        await alerts.set_control(db, running.alert.id, Control.STOPPED, by="key_x", now=now)
    async with ledger.read() as db:
        return await read_now(db)


async def opt_out(ledger: Ledger, running: Running) -> int:
    """Suppress everyone who is left, one at a time, from the last to the first."""
    last = running.page.deliveries[-1]
    async with ledger.write() as db:
        await suppressions.suppress(
            db, "sms", last.address, reason="opted_out", made_by="key_x", now=await read_now(db)
        )
    async with ledger.read() as db:
        return await read_now(db)


async def expire(_ledger: Ledger, running: Running) -> int:
    """Wait for the end of its life."""
    return running.alert.expires_at - seconds(LEAST_LIFE)


def races(stage: Stage, count: int) -> None:
    """`count` of each."""
    asyncio.run(_races(stage, count))


async def _races(stage: Stage, count: int) -> None:
    workers = [Ledger.open(stage.url) for _ in range(_WORKERS[stage.engine])]
    claimers = [workers[place % len(workers)] for place in range(_CLAIMERS)]
    ours = Ledger.open(stage.url, patience=SERVICE_PATIENCE)
    took: list[float] = []
    try:
        for _ in range(count):
            took.append(await _race(stage, claimers, ours, stop, life=3600))
            await _race(stage, claimers, ours, opt_out, life=3600)
            await _race(stage, claimers, ours, expire, life=LEAST_LIFE + 0.4)
    finally:
        for ledger in (*workers, ours):
            await ledger.close()
    took.sort()
    stage.beside |= {
        "stop p50 ms": 1000 * took[len(took) // 2],
        "stop p99 ms": 1000 * took[min(len(took) - 1, int(len(took) * 0.99))],
    }
    if stage.beside["stop p99 ms"] > 1000 * _SOON:
        stage.blame(f"a stop took {stage.beside['stop p99 ms']:.0f} ms with {_CLAIMERS} claimers")


async def _race(
    stage: Stage, claimers: Sequence[Ledger], ours: Ledger, order: Order, *, life: float
) -> float:
    people = {f"person {n}": [("sms", f"{_ADDRESS}{n:03d}")] for n in range(_CROWD)}
    now = await ours.now()
    running = await expanded(ours, people, expires_at=Micros(now + seconds(life)))
    claiming = [asyncio.create_task(_clear(one, running, stage.chance)) for one in claimers]
    await asyncio.sleep(stage.chance.uniform(0.01, 0.15))
    began = time.monotonic()
    since = await order(ours, running)
    took = time.monotonic() - began
    await asyncio.gather(*claiming)
    stage.strike(order.__name__)
    stage.deliveries += _CROWD
    late = await _opened_after(ours, running, since, order)
    if late:
        stage.blame(f"{late} attempts were opened after the commit of {order.__name__}")
    await _lift(ours, order)
    return took


async def _clear(ledger: Ledger, running: Running, chance: random.Random) -> None:
    """Claim one after another, until nothing may be claimed any more."""
    worker = ""
    while True:
        try:
            async with ledger.write() as db:
                worker = worker or await begin(db, "chaos:0")
                window = await claim(
                    db,
                    alert_id=running.alert.id,
                    channel="sms",
                    sender="+1500",
                    worker=worker,
                    limit=1,
                )
        except LedgerAwayError:  # SQLite: fifteen others were quicker, again and again
            continue
        if not window.claimed:
            return
        await asyncio.sleep(chance.uniform(0, 0.02))


async def _opened_after(ledger: Ledger, running: Running, since: int, order: Order) -> int:
    late = (
        select(func.count())
        .select_from(attempts)
        .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
        .where(attempts.c.alert_id == running.alert.id, attempts.c.opened_at > since)
    )
    if order is opt_out:
        late = late.where(deliveries.c.address == running.page.deliveries[-1].address)
    async with ledger.read() as db:
        return int((await db.execute(late)).scalar_one())


async def _lift(ledger: Ledger, order: Order) -> None:
    if order is not opt_out:
        return
    async with ledger.write() as db:
        held = await suppressions.in_force(db, "sms", f"{_ADDRESS}{_CROWD - 1:03d}")
        if held is not None:
            await suppressions.lift(db, held.id, reason="over", now=await read_now(db), by="key_x")


ORDEALS = [Ordeal(name="orders racing claims", run=races, plain=40, full=1000, peopled=False)]
