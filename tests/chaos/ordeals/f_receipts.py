"""Receipts: 30 in 100 are lost, all others are shuffled and come five times."""

import time

from tests.chaos.ordeal import Ordeal
from tests.chaos.road import Road
from tests.chaos.stage import Stage
from tests.journey.alerts import number
from tests.journey.ports import free_ports
from tests.journey.world import HANDED_OVER

#: One in ten numbers ends so: unknown handset, for good.
_UNDELIVERED = "0005"
#: Seconds by which the clock is put on: past each time at which a receipt is asked for.
_LATER = (125.0, 605.0)
_WITHIN = 15 * 60.0


def receipts(stage: Stage, count: int) -> None:
    """Send `count` texts; then hurry the clock past each time at which the provider is asked."""
    [port] = free_ports(1)
    stage.up(
        KENTONGAN_PUBLIC_URL=f"http://127.0.0.1:{port}",
        KENTONGAN_SMS_UNITS_PER_SECOND="200",
        KENTONGAN_SMS_BURST="50",
    )
    road = Road(port, stage.world.url, stage.chance)
    road.open()
    try:
        for start in range(0, count, 1000):
            texts = stage.world.texts(min(1000, count - start))
            for place in range(len(texts) // 10):
                texts[place] = {
                    "channel": "sms",
                    "address": number(start + place, _UNDELIVERED),
                }
            stage.load.post(texts)
        stage.wait_until_decided()
        time.sleep(road.longest + 1)
        stage.beside |= {"reports lost": road.lost, "reports passed": road.passed}
        passed = _until_true(stage)
    finally:
        road.close()
    stage.beside["true after s"] = passed
    if passed > _WITHIN:
        stage.blame(f"{_untrue(stage)} deliveries do not show what became of them")


def _until_true(stage: Stage) -> float:
    """Return after how many seconds of the ledger's clock every state is true."""
    began = time.time()
    for later in (0.0, *_LATER):
        if later:
            _hurry(stage, later)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not _untrue(stage):
                return time.time() - began + stage.clock_offset
            time.sleep(1)
            if not later:
                break
    return float("inf")


def _hurry(stage: Stage, later: float) -> None:
    """Start everything anew with a clock that is so many seconds on."""
    world = stage.world
    for running in (world.service, *world.workers):
        running.stop()
    stage.clock_offset = later
    offset = {"KENTONGAN_CLOCK_OFFSET": str(later)}
    stage.strike("hurried")
    world.service = world.processes.serve(**offset).start().wait_until_ready()
    world.workers = [world.processes.worker(**offset).start() for _ in world.workers]


def _untrue(stage: Stage) -> int:
    """Return how many deliveries show something else than the carrier's book."""
    truth = {
        entry.delivery: "failed" if entry.failed_at else "delivered" for entry in stage.world.book()
    }
    shown = {
        delivery["id"]: delivery["state"]
        for alert in stage.load.accepted
        for delivery in stage.world.deliveries(alert)
    }
    return sum(state != truth.get(delivery) for delivery, state in shown.items())


ORDEALS = [
    Ordeal(
        name="receipts",
        run=receipts,
        plain=1000,
        full=10_000,
        starts=False,
        ends=HANDED_OVER | {"failed"},
        patience=300,
    ),
]
