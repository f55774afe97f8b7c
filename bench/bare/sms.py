"""The bare loop of texts: the Twilio SDK over the transport that ours uses.

`python -m bench.bare.sms PORT COUNT AT_ONCE`
"""

import asyncio
import sys

from twilio.rest import Client

from bench.bare.hurry import hurried
from bench.world import ACCOUNT, SENDER, TOKEN
from channels._shared.twilio_http import PooledTwilioHttp

_TEXT = (
    "High tide tonight\nThe sea rises by 40 cm from nine o'clock. Move vehicles to higher ground.\n"
    "1 = Safe\n2 = Need help"
)


async def send_all(port: int, count: int, at_once: int) -> None:
    """Create `count` messages, each reported under an URL of its own."""
    http = PooledTwilioHttp(
        base_url=f"http://127.0.0.1:{port}", connect=3, total=10, connections=at_once
    )
    client = Client(ACCOUNT, TOKEN, ACCOUNT, http_client=http)

    async def send(number: int) -> None:
        made = await client.messages.create_async(
            to=f"+62812{10_000_000 + number}",
            from_=SENDER,
            body=_TEXT,
            status_callback=f"http://127.0.0.1:8080/callbacks/sms/status?d={number:026}.1#rc=5",
            validity_period=14_000,
            smart_encoded=False,
        )
        assert made.sid

    await hurried([send] * at_once, count)
    await http.close()


if __name__ == "__main__":
    asyncio.run(send_all(*map(int, sys.argv[1:])))
