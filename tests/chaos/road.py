"""A bad road between a carrier and us: it loses reports, shuffles them, and brings the rest again
and again. The carrier believes that each arrived."""

import asyncio
import random
import threading
from concurrent.futures import Future
from typing import Any

import aiohttp
from aiohttp import web

#: Headers that belong to one connection.
_OF_THE_LINE = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class Road:
    """Listens at `port` in a thread of its own, and passes on to `towards`."""

    def __init__(self, port: int, towards: str, chance: random.Random) -> None:
        self._port, self._towards, self._chance = port, towards, chance
        self.lost_share, self.copies, self.longest = 0.3, 5, 4.0
        self.lost = self.passed = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._under_way: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        self._thread.start()
        self._done(asyncio.run_coroutine_threadsafe(self._open(), self._loop))

    def close(self) -> None:
        self._done(asyncio.run_coroutine_threadsafe(self._close(), self._loop))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @staticmethod
    def _done(work: "Future[Any]") -> None:
        work.result(timeout=30)

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def _close(self) -> None:
        for task in self._under_way:
            task.cancel()
        await self._runner.cleanup()
        await self._session.close()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {n: v for n, v in request.headers.items() if n.lower() not in _OF_THE_LINE}
        if self._chance.random() < self.lost_share:
            self.lost += 1
            return web.Response()
        self.passed += 1
        for _ in range(self.copies):
            wait = self._chance.uniform(0, self.longest)
            task = asyncio.create_task(self._pass_on(wait, request.path_qs, headers, body))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return web.Response()

    async def _pass_on(self, wait: float, path: str, headers: dict[str, str], body: bytes) -> None:
        await asyncio.sleep(wait)
        try:
            await self._session.post(f"{self._towards}{path}", data=body, headers=headers)
        except (aiohttp.ClientError, TimeoutError):
            self.lost += 1
