"""How a door is measured: as many requests to ours and to the bare one, in turn."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bench.children import listening
from bench.posting import Load, post_all
from bench.row import Bench, Sample
from bench.world import Took, World
from tests.journey.client import Client

ALTERNATIONS = 5
#: Callers at once: enough that many are at the door within three milliseconds.
CONNECTIONS = 64


class Door:
    """A bare door; its CPU is what it says itself."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._client = Client(f"http://127.0.0.1:{port}")

    async def take(self, requests: Sequence[bytes], status: int) -> Took:
        """Send requests; return what they cost."""
        before = await self._cpu()
        wall = await knock(self.port, requests, status)
        return Took(wall=wall, ours=await self._cpu() - before)

    async def _cpu(self) -> float:
        return float(await asyncio.to_thread(self._client.get, "/cpu"))


@asynccontextmanager
async def bare_door(bench: Bench, kind: str, database_url: str, *more: str) -> AsyncIterator[Door]:
    """Open a bare door of a kind (`bench.bare.door`)."""
    arguments = (kind, database_url, *more)
    with listening("bench.bare.door", bench.folder, *arguments, ready="/cpu") as port:
        yield Door(port)


async def knock(port: int, requests: Sequence[bytes], status: int) -> float:
    """Send requests by many callers at once; return the seconds until the last answer."""
    return await post_all(
        Load(port=port, requests=requests, connections=CONNECTIONS, status=status)
    )


def port_of(world: World) -> int:
    """Return the port of our own door."""
    port = urlsplit(world.url).port
    assert port is not None
    return port


def per_cpu_second(count: int, ours: Took, theirs: Took) -> Sample:
    """Return how many of `count` each side takes in a second of its CPU."""
    return Sample(
        ours=count / ours.ours,
        theirs=count / theirs.ours,
        beside={**ours.beside(), "bare wall s": theirs.wall},
    )
