"""The service starts with what it has, says what is missing, and ends when it is asked to."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientSession

from cli.ports import claim
from kentongan.access import Role
from kentongan.recipient import LONGEST_ADDRESS
from kentongan.settings import Settings, load
from ledger import keys
from ledger.engine import Ledger
from service import main
from tests.fakes.ledgers import Ledgers


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A process of its own would keep what `run` does to the logging; tests give it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def environ(ledgers: Ledgers, tmp_path: Path) -> dict[str, str]:
    return {
        "KENTONGAN_DATABASE_URL": await ledgers.fresh("sqlite", tmp_path),
        "KENTONGAN_REDIS_URL": "redis://127.0.0.1:1",  # nobody is there
        "KENTONGAN_SECRET_KEY": "a secret key of thirty-two letters or more",
        "KENTONGAN_PUBLIC_URL": "https://warn.example",
        "KENTONGAN_HTTP_PORT": str(claim("a free port", "127.0.0.1", 0)),
        "KENTONGAN_METRICS_PORT": str(claim("a free port", "127.0.0.1", 0)),
    }


@asynccontextmanager
async def running(environ: dict[str, str]) -> AsyncIterator[tuple[ClientSession, str]]:
    """Run the service until the block ends; it has to end by itself then."""
    stop = asyncio.Event()
    task = asyncio.create_task(main.run(load(Settings, environ), environ, stop=stop))
    here = f"http://127.0.0.1:{environ['KENTONGAN_HTTP_PORT']}"
    async with ClientSession() as session:
        await answered(session, f"{here}/livez", task)
        yield session, here
        stop.set()
        async with asyncio.timeout(10):
            await task


async def answered(session: ClientSession, url: str, task: "asyncio.Task[Any]") -> None:
    async with asyncio.timeout(10):
        while not task.done():
            try:
                async with session.get(url):
                    return
            except ClientConnectorError:
                await asyncio.sleep(0.02)
    await task


async def test_service_without_redis_is_ready_and_says_so(environ: dict[str, str]) -> None:
    async with running(environ) as (session, here), session.get(f"{here}/readyz") as answer:
        told = await answer.json()

    assert answer.status == 200
    assert any("Redis" in one for one in told["degraded"])


async def test_metrics_have_a_port_of_their_own(environ: dict[str, str]) -> None:
    metrics = f"http://127.0.0.1:{environ['KENTONGAN_METRICS_PORT']}/metrics"

    async with running(environ) as (session, here):
        async with session.get(metrics) as page:
            text = await page.text()
        async with session.get(f"{here}/metrics") as elsewhere:
            assert elsewhere.status == 404

    assert "kentongan_build_info" in text


async def test_last_use_of_a_key_is_written_down_before_the_end(environ: dict[str, str]) -> None:
    ledger = Ledger.open(environ["KENTONGAN_DATABASE_URL"])
    secret = keys.new_secret()
    key = await keys.ensure(ledger, secret, name="x", role=Role.AUDITOR)

    async with (
        running(environ) as (session, here),
        session.get(f"{here}/v1/self", headers={"Authorization": f"Bearer {secret}"}) as answer,
    ):
        assert answer.status == 200

    async with ledger.read() as db:
        found = await keys.find(db, key.id)
    await ledger.close()
    assert found is not None
    assert found.last_used_at is not None


async def test_what_is_no_http_is_answered_in_our_words(environ: dict[str, str]) -> None:
    async with running(environ) as (_, here):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(here.rpartition(":")[2]))
        writer.write(b"GET /v1/self HTTP/1.1\r\nHost: localhost\r\nBad Name: canary\r\n\r\n")
        async with asyncio.timeout(10):
            answer = (await reader.read()).decode()
        writer.close()

    head, _, body = answer.partition("\r\n\r\n")
    assert " 400 " in head.splitlines()[0]
    assert "application/problem+json" in head
    assert "nosniff" in head
    assert "aiohttp" not in answer
    assert "canary" not in answer
    assert json.loads(body)["fix"]


async def test_longest_address_can_be_searched_for(environ: dict[str, str]) -> None:
    secret = keys.new_secret()
    ledger = Ledger.open(environ["KENTONGAN_DATABASE_URL"])
    await keys.ensure(ledger, secret, name="x", role=Role.AUDITOR)
    await ledger.close()
    query = {"address": "\U0001f30a" * LONGEST_ADDRESS}

    async with (
        running(environ) as (session, here),
        session.get(
            f"{here}/v1/suppressions",
            params=query,
            headers={"Authorization": f"Bearer {secret}"},
        ) as answer,
    ):
        assert answer.status == 200
