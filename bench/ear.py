"""A listener that notes when each of its paths was first called: the moment that counts."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


class UnheardError(Exception):
    """A message did not come."""


@dataclass(slots=True)
class Ear:
    """What was heard, on the clock of `time.monotonic`."""

    port: int = 0
    _heard: dict[str, float] = field(default_factory=dict)
    _rung: dict[str, asyncio.Event] = field(default_factory=dict)

    def url(self, path: str) -> str:
        """Return the address that is heard as `path`."""
        return f"http://127.0.0.1:{self.port}/{path}"

    async def first(self, path: str, seconds: float = 60) -> float:
        """Return when `path` was first called, waiting for it; raise `UnheardError`."""
        rung = self._rung.setdefault(path, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await rung.wait()
        except TimeoutError:
            raise UnheardError(f"no message within {seconds:g} s") from None
        return self._heard[path]

    async def hear(self, request: web.Request) -> web.Response:
        """Note the time, answer 200."""
        path = request.match_info["path"]
        self._heard.setdefault(path, time.monotonic())
        self._rung.setdefault(path, asyncio.Event()).set()
        return web.Response()


@asynccontextmanager
async def listening() -> AsyncIterator[Ear]:
    """Listen on a free port of loopback."""
    ear = Ear()
    app = web.Application()
    app.router.add_post("/{path:.*}", ear.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ear.port = runner.addresses[0][1]
        yield ear
    finally:
        await runner.cleanup()
