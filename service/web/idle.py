"""Closes connections on which nobody asks anything: aiohttp has no time-out for headers.

A client that sends its first header slowly, or none, is cut off after `FIRST` seconds; one that
does so behind an earlier request after `LATER`. A proxy in front should be stricter.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from weakref import WeakKeyDictionary

from aiohttp import web

#: Seconds until a connection has brought a whole request head.
FIRST = 10.0
#: Seconds from one answer to the next request's head.
LATER = 70.0


class Idle:
    """Knows of each connection whether it is being served, and since when it is not."""

    def __init__(
        self,
        *,
        first: float = FIRST,
        later: float = LATER,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first, self._later, self._monotonic = first, later, monotonic
        self._cut_at: WeakKeyDictionary[asyncio.BaseTransport, float] = WeakKeyDictionary()

    @contextmanager
    def busy(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Mark a connection as served for as long as this lasts."""
        if transport is None:
            yield
            return
        self._cut_at[transport] = float("inf")
        try:
            yield
        finally:
            self._cut_at[transport] = self._monotonic() + self._later

    @asynccontextmanager
    async def watching(self, server: web.Server) -> AsyncIterator[None]:
        """Cut off what has been idle for too long, looking ten times within `first`."""
        task = asyncio.create_task(self._watch(server))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self, server: web.Server) -> None:
        while True:
            await asyncio.sleep(self._first / 10)
            now = self._monotonic()
            for connection in server.connections:
                transport = connection.transport
                if transport and self._cut_at.setdefault(transport, now + self._first) <= now:
                    transport.abort()
