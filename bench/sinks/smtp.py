"""A relay that takes all mail and forgets it. `python -m bench.sinks.smtp PORT`.

It offers PIPELINING, as relays do, and answers what came in one piece in one piece.
"""

import asyncio
import sys
from typing import cast

import uvloop
from typing_extensions import override

_READY = b"220 sink\r\n"
_OFFER = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10485760\r\n"
_FINE = b"250 ok\r\n"
_REPLIES = {
    b"EHLO": _OFFER,
    b"HELO": _FINE,
    b"MAIL": _FINE,
    b"RCPT": _FINE,
    b"RSET": _FINE,
    b"NOOP": _FINE,
    b"QUIT": b"221 bye\r\n",
    b"DATA": b"354 go on\r\n",
}
_STRANGE = b"500 what\r\n"
_DOT = b"\r\n.\r\n"


class Relay(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_data = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no kin
        self._transport.write(_READY)

    @override
    def data_received(self, data: bytes) -> None:
        self._rest += data
        said: list[bytes] = []
        while (reply := self._next()) is not None:
            said.append(reply)
        if said:
            self._transport.write(b"".join(said))

    def _next(self) -> bytes | None:
        """Return the answer to what is next in the buffer; None until it is whole."""
        end = _DOT if self._in_data else b"\r\n"
        read, found, rest = self._rest.partition(end)
        if not found:
            return None
        self._rest = rest
        if self._in_data:
            self._in_data = False
            return _FINE
        verb = read[:4].upper()
        if verb == b"DATA":
            self._in_data = True
            # A dot may follow at once; the line's own end counts as the one before it.
            self._rest = b"\r\n" + rest
        return _REPLIES.get(verb, _STRANGE)


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Relay, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
