"""The database is away: callers hear 503 soon, nothing is half accepted, and all goes on after."""

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from ledger.engine import sqlite_path
from tests.fakes.postgres import Postgres
from tests.journey.alerts import an_alert
from tests.journey.client import Client
from tests.journey.conftest import Worlds
from tests.journey.world import World

pytestmark = pytest.mark.journey

#: Seconds in which a 503 must have come; the promise is two, the rest is for a busy machine.
SOON = 5.0
AWAY = 8.0


def test_database_that_is_away_is_told_as_503_and_all_goes_on_after(
    world: World, worlds: Worlds
) -> None:
    running = world.accept(an_alert(world.texts(150)))
    world.wait_until(running, lambda states: states.get("delivered", 0) > 0, "it runs")
    before = {alert["id"] for alert in world.api.get("/v1/alerts")["alerts"]}

    key, body = secrets.token_hex(8), an_alert(world.texts(10))
    with database_away(world, worlds.postgres):
        refused_for_a_while(world, key, body)
    world.service.wait_until_ready()

    assert {alert["id"] for alert in world.api.get("/v1/alerts")["alerts"]} == before
    answer = world.post(body, Idempotency_Key=key)
    assert answer.status == 202
    assert "Idempotency-Replayed" not in answer.headers
    world.wait_until_arrived(answer.body["id"], 10)
    world.wait_until_decided(running, 150)  # receipts may have been refused too long
    world.balance()


@contextmanager
def database_away(world: World, postgres: Postgres | None) -> Iterator[None]:
    """PostgreSQL crashes; of SQLite somebody holds the write lock."""
    if postgres:
        if not postgres.can_stop:
            pytest.skip("KENTONGAN_TEST_DATABASE_URL names a server that is not ours to stop")
        postgres.stop("immediate")
        yield
        postgres.start()
        return
    path = sqlite_path(world.database_url)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as hog:
        hog.execute("BEGIN IMMEDIATE")
        yield
        hog.execute("ROLLBACK")


def refused_for_a_while(world: World, key: str, body: dict[str, object]) -> None:
    caller = Client(world.url, world.key, timeout=SOON)
    until = time.monotonic() + AWAY
    while time.monotonic() < until:
        answer = caller.post("/v1/alerts", body, Idempotency_Key=key)
        assert answer.status == 503, answer
        assert "Retry-After" in answer.headers
        assert answer.body["fix"]
