"""The least of an HTTP server: reads whole requests, says what it is told to say."""

import asyncio
import re
import sys
from collections.abc import Callable
from typing import cast

import uvloop
from typing_extensions import override

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"

#: From a head and a body to a whole response.
Answer = Callable[[bytes, bytes], bytes]


def response(status: bytes, body: bytes = b"", kind: bytes = b"application/json") -> bytes:
    """Return an answer as it goes over the wire."""
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (status, kind, len(body)) + body


class Listener(asyncio.Protocol):
    """One connection. An answer waits `delay` seconds, without holding up others."""

    def __init__(self, answer: Answer, delay: float) -> None:
        self._answer, self._delay = answer, delay
        self._rest = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no kin

    @override
    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(_END)) >= 0:
            head, start = self._rest[:end], end + len(_END)
            told = _LENGTH.search(head)
            whole = start + (int(told[1]) if told else 0)
            if len(self._rest) < whole:
                return
            body, self._rest = self._rest[start:whole], self._rest[whole:]
            self._say(self._answer(head, body), is_delayed=bool(self._delay and body))

    def _say(self, answer: bytes, *, is_delayed: bool) -> None:
        if is_delayed:
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


def serve(answer: Answer) -> None:
    """Serve on the port of the first argument until killed; the second is a delay in ms."""
    port = int(sys.argv[1])
    delay = int(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(port, lambda: Listener(answer, delay)))


async def _serve(port: int, made: Callable[[], Listener]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(made, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()
