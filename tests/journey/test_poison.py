"""What kills its worker is set aside after three starts, and everything else flows."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.migrate import upgrade
from tests.fakes.deadly import DEADLY_TEXT, POISON, plugged_in
from tests.journey.alerts import Point, an_alert
from tests.journey.conftest import Worlds
from tests.journey.world import World

pytestmark = pytest.mark.journey


@pytest.fixture
def deadly(worlds: Worlds, engine: str, tmp_path: Path) -> Iterator[World]:
    """A world with a channel of which a worker may die."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if engine == "postgresql":
        worlds.on(engine)  # its server
        assert worlds.postgres is not None
        url = worlds.postgres.create_database()
    asyncio.run(upgrade(url))
    with World(tmp_path, url, **plugged_in(tmp_path / "plugin")) as world:
        yield world.start()


def test_row_that_kills_its_worker_is_set_aside_and_everybody_else_is_told(
    deadly: World, tmp_path: Path
) -> None:
    people = [*points(range(150)), point(POISON), *points(range(150, 300))]
    alert = deadly.accept(an_alert(people, channels=["deadly"]))

    until(deadly, lambda: deadly.states(alert) == {"accepted": 300, "failed": 1})

    [failed] = deadly.api.get(f"/v1/alerts/{alert}/deliveries?state=failed")["deliveries"]
    assert (failed["address"], failed["reason"], failed["attempts"]) == (POISON, "poison", 3)
    told = (tmp_path / "plugin" / "book.txt").read_text().splitlines()
    assert sum(line.endswith(POISON) for line in told) == 3
    deadly.balance()


def test_alert_whose_expansion_kills_workers_is_set_aside_and_the_next_one_flows(
    deadly: World,
) -> None:
    deadly_one = deadly.accept(an_alert(points(range(3)), channels=["deadly"], text=DEADLY_TEXT))

    until(deadly, lambda: deadly.api.get(f"/v1/alerts/{deadly_one}")["set_aside_at"])

    next_one = deadly.accept(an_alert(points(range(3, 6)), channels=["deadly"]))
    until(deadly, lambda: deadly.states(next_one) == {"accepted": 3}, 30)
    assert all(worker.is_alive for worker in deadly.workers)
    [aside] = deadly.api.get("/v1/dead-letters")["alerts"]
    assert aside["alert"] == deadly_one


def points(places: range) -> list[Point]:
    return [point(f"p{n}") for n in places]


def point(address: str) -> Point:
    return {"channel": "deadly", "address": address}


def until(world: World, holds: Callable[[], Any], seconds: float = 150) -> None:
    """Start again whatever dies, as a supervisor does, until `holds()`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, world.workers[0].read_log()[-3000:]
        for worker in world.workers:
            if not worker.is_alive:
                worker.start()
        time.sleep(0.2)
