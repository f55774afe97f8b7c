"""A house that knows all channels, as people's addresses are checked by their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import channels
from kentongan.settings import Settings, load
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes.channels import simulator_at
from tests.fakes.house import Client, Headers, deployment, made_house


@asynccontextmanager
async def house_of_all_channels(ledger: Ledger) -> AsyncIterator[House]:
    """Open it; its channels would only ever send to a closed port of loopback."""
    at = simulator_at("http://127.0.0.1:9", 9)
    all_of_them = channels.practising(at, deployment(load(Settings, {})))
    yield made_house(ledger, practising=all_of_them)
    for channel in all_of_them.values():
        await channel.close()


async def asked(
    client: Client, method: str, path: str, key: Headers, body: Any = None
) -> tuple[int, Any]:
    """Return status and JSON of one request; None where the answer is empty."""
    async with client.request(method, path, headers=key, json=body) as answer:
        return answer.status, await answer.json() if await answer.read() else None


async def made(client: Client, path: str, key: Headers, **body: Any) -> Any:
    """Return what a POST made."""
    status, answer = await asked(client, "POST", path, key, body)
    assert status == 201, answer
    return answer
