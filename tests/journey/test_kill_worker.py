"""Workers die at any moment of a run: who was asked about is found, and nobody is told twice."""

import random
import time

import pytest

from tests.journey.alerts import Point, an_alert
from tests.journey.world import World

pytestmark = pytest.mark.journey


def test_workers_killed_at_any_moment_lose_nobody_and_tell_nobody_twice(
    world: World, engine: str
) -> None:
    chance = random.Random(engine)
    world.behave(delay=0.3)  # so that many a death falls between the request and its answer
    alert = world.accept(an_alert(everyone(world)))

    for turn in range(7):
        time.sleep(chance.uniform(0, 0.2 if turn == 0 else 1.2))
        for worker in world.workers if turn == 3 else [chance.choice(world.workers)]:
            worker.kill()
            worker.start()

    world.wait_until_decided(alert, 320)
    world.balance()


def everyone(world: World) -> list[Point]:
    """Return contact points on all channels, over two pages of the expansion."""
    mails = [{"channel": "email", "address": f"p{n}@example.org"} for n in range(40)]
    hooks = [{"channel": "webhook", "address": f"{world.carrier_url}/hook/{n}"} for n in range(40)]
    return [*world.texts(200), *world.calls(40), *mails, *hooks]
