"""Probes tell what is true: 503 only when nothing can be committed, all else by name."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from ledger.engine import Ledger
from service.metrics import metrics_app
from service.wiring import House
from tests.fakes.house import Client, Headers, QuietBell, serving


@contextmanager
def write_lock_held(folder: Path) -> Iterator[None]:
    """Hold what every commit on SQLite needs."""
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_ready_service_names_what_is_degraded(client: Client) -> None:
    async with client.get("/readyz") as answer:
        told = await answer.json()

    assert answer.status == 200
    assert told["ready"] is True
    assert "worker" in told["degraded"][0]


async def test_redis_away_degrades_and_does_not_close(house: House) -> None:
    assert isinstance(house.queue, QuietBell)
    house.queue.away = True

    async with serving(house) as client, client.get("/readyz") as answer:
        told = await answer.json()

    assert answer.status == 200
    assert any("Redis" in one for one in told["degraded"])


async def test_ledger_that_cannot_commit_closes_the_door_in_words(
    house: House, admin: Headers, tmp_path: Path
) -> None:
    body = {"name": "x", "role": "auditor", "modes": ["test"]}

    async with serving(house) as client:
        with write_lock_held(tmp_path):
            async with client.get("/readyz") as probe:
                assert probe.status == 503
            async with client.post("/v1/keys", json=body, headers=admin) as answer:
                told = await answer.json()
        async with client.post("/v1/keys", json=body, headers=admin) as again:
            assert again.status == 201

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "2"
    assert "Idempotency-Key" in told["fix"]


async def test_metrics_speak_of_routes_and_of_no_one(
    house: House, client: Client, admin: Headers, ledger: Ledger
) -> None:
    async with client.get("/v1/keys/key_0000000000000000000000000v", headers=admin) as answer:
        assert answer.status == 404

    async with (
        TestClient(TestServer(metrics_app(house.metrics, ledger))) as scraper,
        scraper.get("/metrics") as page,
    ):
        text = await page.text()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["kentongan_ledger_up"].samples[0].value == 1
    routes = {sample.labels["route"] for sample in families["kentongan_http_requests"].samples}
    assert routes == {"/v1/keys/{key_id}"}
    assert "key_0000" not in text


async def test_front_door_leads_to_the_reference(client: Client) -> None:
    answer = await client.get("/", allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (303, "/docs")
