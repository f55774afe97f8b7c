"""A plain HTTP client of the simulated REST API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from simulator.main import Simulation, simulating
from simulator.settings import SimulatorSettings

OURS = "+15005550006"


def ending(digits: str) -> str:
    """Return a number that ends in the magic digits."""
    return f"+628123456{digits}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    sim: Simulation
    session: aiohttp.ClientSession
    settings: SimulatorSettings

    @property
    def base(self) -> str:
        return f"{self.sim.url}/2010-04-01/Accounts/{self.settings.account_sid}"

    async def text(self, to: str, **further: Any) -> tuple[int, Any]:
        form = {"To": to, "From": OURS, "Body": "Banjir!", **further}
        return await self.post("Messages.json", form)

    async def call(self, to: str, twiml: str, **further: Any) -> tuple[int, Any]:
        form = {"To": to, "From": OURS, "Twiml": twiml, **further}
        return await self.post("Calls.json", form)

    async def post(self, path: str, form: Any) -> tuple[int, Any]:
        pairs = [
            (name, each)
            for name, value in form.items()
            for each in (value if isinstance(value, list) else [value])
        ]
        async with self.session.post(f"{self.base}/{path}", data=pairs) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, **query: str) -> tuple[int, Any]:
        async with self.session.get(f"{self.base}/{path}", params=query) as answer:
            return answer.status, await answer.json()

    async def switch(self, **what: Any) -> int:
        url = f"{self.sim.url}/control/behaviour"
        async with self.session.post(url, json=what) as answer:
            return answer.status

    async def seen(self, **query: str) -> Any:
        async with self.session.get(f"{self.sim.url}/messages", params=query) as answer:
            return await answer.json()


@asynccontextmanager
async def practising(**settings: Any) -> AsyncIterator[Client]:
    """Run a simulator on free ports, fast, and yield a client that may ask it."""
    chosen = SimulatorSettings(http_port=0, **{"callback_speed": 50.0, **settings})
    headers = {"Authorization": aiohttp.encode_basic_auth(chosen.account_sid, chosen.auth_token)}
    async with simulating(chosen) as sim, aiohttp.ClientSession(headers=headers) as session:
        yield Client(sim=sim, session=session, settings=chosen)
