"""A worker that was frozen past its lease begins nothing and finishes nothing when it wakes."""

import time
from datetime import datetime

import pytest

from kentongan.clock import SECOND
from tests.journey.alerts import Point, an_alert
from tests.journey.world import HANDED_OVER, World

pytestmark = pytest.mark.journey

#: Longer than a lease, and than the settler waits before it first asks.
FROZEN = 20.0
#: What a worker logs whenever it begins a life; its log may hold earlier ones.
LEASE_TAKEN = "lease taken"


def test_worker_that_slept_20_seconds_tells_nobody_a_second_time(world: World) -> None:
    world.behave(delay=0.5)
    slow_mails: list[Point] = [
        {"channel": "email", "address": f"slow+{n}@example.org"} for n in range(10)
    ]
    alert = world.accept(an_alert([*world.texts(150), *slow_mails]))
    world.wait_until(alert, lambda states: states.get("accepted", 0) > 5, "it runs")

    sleeper = world.workers[0]
    leases = sleeper.read_log().count(LEASE_TAKEN)
    sleeper.pause()
    paused_at = time.time()
    time.sleep(FROZEN)
    resumed_at = time.time()
    sleeper.resume()
    sleeper.wait_until_logged(LEASE_TAKEN, times=leases + 1)

    # It may have slept with SQLite's write lock in hand, and reports were refused all the while.
    assert world.wait_until_decided(alert, 160).keys() <= HANDED_OVER
    assert finished_late(world, paused_at, resumed_at) == []
    world.balance()


def finished_late(world: World, paused_at: float, resumed_at: float) -> list[str]:
    """Return attempts that were open before the worker froze and reached a carrier once it woke."""
    late = []
    for entry in world.book():
        if entry.at <= resumed_at * SECOND:
            continue
        for attempt in world.api.get(f"/v1/deliveries/{entry.delivery}")["tries"]:
            opened_at = datetime.fromisoformat(attempt["opened_at"]).timestamp()
            if attempt["no"] == entry.no and opened_at < paused_at:
                late.append(f"{entry.delivery}.{entry.no}")
    return late
