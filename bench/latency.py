"""How long until the first message is at the provider: ours, and two jobs in a row of arq's."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
from arq.connections import ArqRedis, RedisSettings, create_pool

from bench.children import listening
from bench.ear import Ear
from bench.flow import Flow
from bench.row import Bench
from bench.world import World, an_alert

#: One try: seconds from the request to the message.
Try = Callable[[], Awaitable[float]]

#: Tries that are looked at on each side; the 99th percentile is then the second worst.
TRIES = 100
#: Fewer beside a flow say nothing about the worst.
_LEAST = 40
#: Tries of arq's at once. Its worker sleeps nearly all of the time, so they do not meet.
_TOGETHER = 5
#: Seconds between arq's looks into its queue.
_POLL = 0.5


class TooFewError(Exception):
    """There are not enough tries to tell a percentile from."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


@asynccontextmanager
async def posting(world: World, ear: Ear, **changes: Any) -> AsyncIterator[Try]:
    """Yield a try of ours: an alert to one system that listens, over a kept connection."""
    headers = {"Authorization": f"Bearer {world.key}"}
    async with aiohttp.ClientSession(world.url, headers=headers) as session:

        async def post() -> float:
            path = secrets.token_hex(8)
            point = {"channel": "webhook", "address": ear.url(path)}
            body = an_alert("", "webhook", audience={"points": [point]}, **changes)
            began = time.monotonic()
            async with session.post(
                "/v1/alerts",
                data=json.dumps(body),
                headers={"Idempotency-Key": path, "Content-Type": "application/json"},
            ) as answer:
                assert answer.status == 202, await answer.text()
            return await ear.first(path) - began

        yield post


@asynccontextmanager
async def arq_at_rest(bench: Bench, world: World, ear: Ear) -> AsyncIterator[Try]:
    """Yield a try of arq's, over a worker that does nothing else."""
    redis = await create_pool(RedisSettings.from_dsn(world.redis_url))

    async def hand_in() -> float:
        return await _handed_in(redis, ear)

    arguments = (world.redis_url,)
    try:
        with listening("bench.bare.arq_hands", bench.folder, *arguments, ready=""):
            await hand_in()  # the first waits until the worker is up
            yield hand_in
    finally:
        await redis.aclose()


async def _handed_in(redis: ArqRedis, ear: Ear) -> float:
    path = secrets.token_hex(8)
    began = time.monotonic()
    await redis.enqueue_job("expand", ear.url(path))
    return await ear.first(path) - began


async def arq_times(hand_in: Try, seed: int, tries: int = TRIES) -> list[float]:
    """Return what arq's tries took; they begin anywhere between two looks into the queue."""
    random = Random(seed)  # noqa: S311 - no secret
    waits = [[random.random() * _POLL for _ in range(tries // _TOGETHER)] for _ in range(_TOGETHER)]

    async def some(pauses: Sequence[float]) -> list[float]:
        taken = []
        for pause in pauses:
            await asyncio.sleep(pause)
            taken.append(await hand_in())
        return taken

    found = await asyncio.gather(*(some(pauses) for pauses in waits))
    return [each for taken in found for each in taken]


async def our_times(post: Try, seed: int, pause: float, tries: int = TRIES) -> list[float]:
    """Return what our tries took, one after the other, about `pause` seconds apart."""
    random = Random(seed)  # noqa: S311 - no secret
    taken = []
    for _ in range(tries):
        await asyncio.sleep(random.uniform(0.5, 1.5) * pause)
        taken.append(await post())
    return taken


async def times_beside(flow: Flow, post: Try, seed: int, pause: float) -> list[float]:
    """Return what our tries took while `flow` went on; raise `TooFewError` where it ended early."""
    taken: list[float] = []
    while len(taken) < TRIES and await flow.goes_on():
        taken += await our_times(post, seed + len(taken), pause, tries=1)
    if len(taken) < _LEAST:
        raise TooFewError(f"the flow was over after {len(taken)} tries")
    return taken
