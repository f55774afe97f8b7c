"""A worker that is frozen past its lease, then woken, in the middle of what it sends."""

import time

from sqlalchemy import select

from kentongan.clock import SECOND
from ledger.engine import Ledger
from ledger.leases import LEASE
from ledger.schema import attempts, incarnations
from tests.chaos.ordeal import Ordeal
from tests.chaos.stage import Stage
from tests.journey.alerts import Point


def frozen(stage: Stage, count: int) -> None:
    stage.world.behave(delay=0.5)
    naps: list[tuple[int, float, float]] = []
    with stage.load.flowing():
        for _ in range(count):
            # Mails whose final dot is answered late: conversations that are half done.
            stage.load.post(_slow_mails(stage))
            time.sleep(stage.chance.uniform(0.2, 2))
            sleeper = stage.chance.choice(stage.world.workers)
            stage.strike("frozen", sleeper.pid)
            paused_at, pid = time.time(), sleeper.pid
            sleeper.pause()
            time.sleep(stage.chance.uniform(LEASE + 1, LEASE + 8))
            naps.append((pid, paused_at, time.time()))
            sleeper.resume()
            time.sleep(2)
    stage.wait_until_decided()
    late = _finished_late(stage, naps)
    if late:
        stage.blame(f"woken workers finished {len(late)} attempts: {late[:5]}")


def _slow_mails(stage: Stage) -> list[Point]:
    names = [point["address"][1:] for point in stage.world.texts(10)]
    return [{"channel": "email", "address": f"slow+{name}@example.org"} for name in names]


def _finished_late(stage: Stage, naps: list[tuple[int, float, float]]) -> list[str]:
    """Return attempts that a worker had open when it froze, and that reached a carrier later."""
    with stage.ledger() as (runner, ledger):
        rows = runner.run(_opened(ledger))
    return [
        f"{entry.delivery}.{entry.no}"
        for entry in stage.world.book()
        if entry.no and (known := rows.get((entry.delivery, entry.no)))
        for pid, paused_at, resumed_at in naps
        if known[0].endswith(f":{pid}")
        and known[1] < paused_at * SECOND
        and entry.at > resumed_at * SECOND
    ]


async def _opened(ledger: Ledger) -> dict[tuple[str, int], tuple[str, int]]:
    query = select(
        attempts.c.delivery_id, attempts.c.no, incarnations.c.place, attempts.c.opened_at
    ).join(incarnations, incarnations.c.id == attempts.c.worker)
    async with ledger.read() as db:
        return {(row[0], row[1]): (row[2], row[3]) for row in await db.execute(query)}


ORDEALS = [Ordeal(name="frozen worker", run=frozen, plain=3, full=50)]
