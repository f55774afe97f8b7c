"""A worker of arq's at its default settings: one job hands in the next, and that one sends.

`python -m bench.bare.arq_hands - REDIS_URL`. The first stands for finding out whom an alert is for,
the second for sending it. arq looks into its queue each half second.
"""

import sys
from typing import Any

import aiohttp
from arq.connections import RedisSettings
from arq.worker import Worker


async def expand(ctx: dict[str, Any], url: str) -> None:
    """Hand in the sending."""
    await ctx["redis"].enqueue_job("send", url)


async def send(ctx: dict[str, Any], url: str) -> None:
    """Send."""
    async with ctx["session"].post(url, json={}) as answer:
        await answer.read()


async def startup(ctx: dict[str, Any]) -> None:
    ctx["session"] = aiohttp.ClientSession()


async def shutdown(ctx: dict[str, Any]) -> None:
    await ctx["session"].close()


if __name__ == "__main__":
    at = sys.argv[2]
    Worker(
        functions=[expand, send],
        redis_settings=RedisSettings.from_dsn(at),
        on_startup=startup,
        on_shutdown=shutdown,
    ).run()
