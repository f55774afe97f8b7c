"""Under pressure systems are asked to come back; officers are served all the same."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer

from kentongan.access import Act
from ledger.engine import Ledger
from service.app import build_app
from service.calls import Call
from service.pressure import LONGEST_LAG, MOST_SERVED, MOST_WAITING
from service.web.bodies import Out
from service.web.openapi import Api
from service.wiring import House
from tests.fakes.alerting import alert, alerting_house, posted, settle_village
from tests.fakes.house import Client, Headers, serving


class Told(Out):
    done: bool = True


@asynccontextmanager
async def slow(house: House, go: asyncio.Event, begun: list[str]) -> AsyncIterator[Client]:
    """Serve one operation that takes until `go`."""
    api = Api("slow")

    @api.op("POST", "/v1/slow", may=Act.MAKE_ALERT, in_turn=True)
    async def take_time(call: Call) -> Told:
        """Take time."""
        begun.append(call.caller)
        await go.wait()
        return Told()

    async with TestClient(TestServer(build_app(house, [api]))) as client:
        yield client


async def ask(client: Client, caller: Headers) -> tuple[int, str | None]:
    async with client.post("/v1/slow", headers=caller) as answer:
        await answer.read()
        return answer.status, answer.headers.get("Retry-After")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def test_systems_beyond_what_can_be_served_are_asked_to_come_back(
    house: House, integration: Headers, officer: Headers
) -> None:
    go, begun = asyncio.Event(), list[str]()

    async with slow(house, go, begun) as client:
        asked = [
            asyncio.create_task(ask(client, integration))
            for _ in range(MOST_SERVED + MOST_WAITING + 5)
        ]
        await until(lambda: len(begun) == MOST_SERVED and any(task.done() for task in asked))
        person = asyncio.create_task(ask(client, officer))
        await until(lambda: len(begun) > MOST_SERVED)
        go.set()
        told = await asyncio.gather(*asked)
        served = await person
        later = await ask(client, integration)

    assert begun[MOST_SERVED] != begun[0]
    assert (served, later) == ((200, None), (200, None))
    assert set(told) == {(200, None), (503, "2")}
    assert told.count((200, None)) >= MOST_SERVED
    assert told.count((503, "2")) >= 5


async def test_system_that_waited_in_vain_is_asked_to_come_back(
    house: House, integration: Headers
) -> None:
    go, begun = asyncio.Event(), list[str]()

    async with slow(house, go, begun) as client:
        served = [asyncio.create_task(ask(client, integration)) for _ in range(MOST_SERVED)]
        await until(lambda: len(begun) == MOST_SERVED)
        waited = await ask(client, integration)
        go.set()
        told = await asyncio.gather(*served)

    assert waited == (503, "2")
    assert told == [(200, None)] * MOST_SERVED


async def test_while_the_ledger_lags_systems_come_later_and_people_are_served(
    ledger: Ledger, officer: Headers, integration: Headers, tmp_path: Path
) -> None:
    house = alerting_house(ledger)
    await settle_village(ledger)
    ledger.patience = 10
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)

    async with serving(house) as client:
        await posted(client, officer, alert())
        other.execute("BEGIN IMMEDIATE")
        person = asyncio.create_task(posted(client, officer, alert()))
        await until(lambda: house.lag() > LONGEST_LAG)
        refused, why = await posted(client, integration, alert(), key="k")
        other.execute("ROLLBACK")
        other.close()
        kept, _ = await person
        again, _ = await posted(client, integration, alert(), key="k")

    assert (refused, why["type"]) == (503, "urn:kentongan:problem:pressure")
    assert (kept, again) == (202, 202)
