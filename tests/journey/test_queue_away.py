"""Redis is a doorbell: emptied or away, everything is late at most."""

import time

import pytest

from tests.journey.alerts import an_alert
from tests.journey.world import World

pytestmark = pytest.mark.journey

AWAY = 20.0


def test_queue_emptied_in_mid_run_loses_nothing(world: World) -> None:
    alert = world.accept(an_alert(world.texts(200)))

    for _ in range(4):
        time.sleep(0.7)
        world.valkey.flush()

    assert world.wait_until_arrived(alert, 200) == {"delivered": 200}
    world.balance()


def test_queue_away_20_seconds_stops_nothing_and_the_workers_come_back(world: World) -> None:
    begun_before = world.accept(an_alert(world.texts(150)))
    world.wait_until(begun_before, lambda states: states.get("delivered", 0) > 0, "it runs")

    world.valkey.kill()
    until = time.monotonic() + AWAY
    meanwhile = [world.accept(an_alert(world.texts(5))) for n in range(4)]
    for alert in meanwhile:
        world.wait_until_arrived(alert, 5)  # the workers look in the ledger themselves
    time.sleep(max(0, until - time.monotonic()))
    world.valkey.start()

    after = world.accept(an_alert(world.texts(5)))
    world.wait_until_arrived(begun_before, 150)
    world.wait_until_arrived(after, 5)
    pids = [worker.pid for worker in world.workers]  # the very same processes
    assert len(pids) == 2
    world.balance()
