"""The bare loop of webhooks: the same POST over aiohttp, signed by nobody, kept by nobody.

`python -m bench.bare.webhook PORT COUNT AT_ONCE`
"""

import asyncio
import json
import sys

import aiohttp

from bench.bare.hurry import hurried
from bench.world import an_alert

_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "bare",
    "webhook-timestamp": "1770091506",
    "webhook-signature": "v1,dRgWJG0vXkEYqTf0NZWXwA1sMvXcGmfHFZDs2CLdp3o=",
}


async def send_all(port: int, count: int, at_once: int) -> None:
    """POST `count` bodies of the size that ours have, each with an id of its own."""
    data = an_alert("north", "webhook")
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=at_once, limit_per_host=at_once),
        timeout=aiohttp.ClientTimeout(total=15),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:

        async def send(number: int) -> None:
            delivery = f"dlv_{number:026}"
            body = json.dumps({"type": "alert.delivery", "data": data, "delivery_id": delivery})
            async with session.post(
                f"http://127.0.0.1:{port}/h/{number}",
                data=body.encode(),
                headers={**_HEADERS, "webhook-id": delivery},
            ) as answer:
                await answer.read()
                assert answer.status == 200

        await hurried([send] * at_once, count)


if __name__ == "__main__":
    asyncio.run(send_all(*map(int, sys.argv[1:])))
