"""A worker that was frozen past its lease begins nothing and finishes nothing when it wakes."""

import time
from datetime import datetime
from typing import Any

import pytest

from tests.journey.alerts import Point, an_alert
from tests.journey.world import World

pytestmark = pytest.mark.journey

#: Longer than a lease, and than the settler waits before it first asks.
FROZEN = 20.0


def test_worker_that_slept_20_seconds_tells_nobody_a_second_time(world: World) -> None:
    world.behave(delay=0.5)
    slow_mails: list[Point] = [
        {"channel": "email", "address": f"slow+{n}@example.org"} for n in range(10)
    ]
    alert = world.accept(an_alert([*world.texts(150), *slow_mails]))
    world.wait_until(alert, lambda states: states.get("accepted", 0) > 5, "it runs")

    sleeper = world.workers[0]
    sleeper.pause()
    paused_at = time.time()
    time.sleep(FROZEN)
    resumed_at = time.time()
    sleeper.resume()
    sleeper.wait_until_logged("lease taken", times=2)

    states = world.wait_until_arrived(alert, 160, but=["sent"])
    assert states == {"delivered": 150, "sent": 10}
    assert finished_late(world, alert, paused_at, resumed_at) == []
    world.balance()


def finished_late(
    world: World, alert: str, paused_at: float, resumed_at: float
) -> list[dict[str, Any]]:
    """Return attempts that a frozen worker had opened and that reached a carrier after it woke."""
    late = []
    for each in world.deliveries(alert):
        got = [m["at"] for m in world.messages(to=each["address"]) if m["at"] > resumed_at]
        for attempt in world.api.get(f"/v1/deliveries/{each['id']}")["attempts"] if got else []:
            opened_at = datetime.fromisoformat(attempt["opened_at"]).timestamp()
            if opened_at < paused_at and attempt["resolution"] != "repeat":
                late.append(attempt)
    return late
