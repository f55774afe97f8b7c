"""One exchange over a connection that is held: a request in one piece, an answer in few.

aiohttp makes the connections, keeps them and parses what comes over them. Its session, which would
do the rest as well, takes more than twice as long as all this together (docs/adr/0017).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from yarl import URL

if TYPE_CHECKING:
    from aiohttp.connector import Connection

#: How much of an answer is read; who answers one message has nothing longer to say.
MOST_REPLY = 64 * 1024


class Target(NamedTuple):
    """Where a request goes: `scheme://host[:port]`, and what its first lines say of it."""

    server: str
    host: str
    path: str
    authorization: str = ""

    @classmethod
    def of(cls, url: URL) -> Self:
        """Return what an absolute URL names, but for its fragment; raise `aiohttp.InvalidURL`."""
        host = url.host_port_subcomponent
        if url.scheme not in {"http", "https"} or not host:
            raise aiohttp.InvalidURL(url)
        user, password = url.user, url.password
        named = user is not None or password is not None
        proof = aiohttp.encode_basic_auth(user or "", password or "") if named else ""
        return cls(f"{url.scheme}://{host}", host, url.raw_path_qs, proof)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered.

    `whole` is false where the body was cut off: by us, and then `body` is as long as we read, or by
    it, and then it is empty.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def written(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a POST as it goes over the wire.

    Raises `ValueError` for what would end its line early: nobody adds a header, or a request.
    """
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.host}",
        # Packed answers would have to be unpacked before they can be measured.
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    if target.authorization:
        lines.append(f"Authorization: {target.authorization}")
    head = "\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count("\r") != breaks or head.count("\n") != breaks or "\0" in head:
        raise ValueError("a header or a path has a line break in it")
    return head.encode() + b"\r\n\r\n" + body


class Exchange:
    """What goes over one connection. `begun` once the first byte of the request may have left."""

    __slots__ = ("_connection", "_message", "begun")

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._message: RawResponseMessage | None = None
        self.begun = False

    async def reply(self, request: bytes) -> Reply:
        """Send the request and return the answer; if it is whole, the connection can be kept.

        Raises `aiohttp.ClientError`, `HttpProcessingError` or `EofStream` where none came.
        """
        protocol = self._unused()
        # Only what comes from now on is the answer; anything before is another parser's.
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        self.begun = True
        protocol.transport.write(request)  # type: ignore[union-attr]  # `_unused` has looked
        message, payload = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, payload = await protocol.read()
        self._message = message
        body, is_whole = await _read(payload)
        return Reply(status=message.code, headers=message.headers, body=body, whole=is_whole)

    def cut_off(self) -> Reply | None:
        """Return what is known of an answer that did not end: its status, if it came so far."""
        if self._message is None:
            return None
        message = self._message
        return Reply(status=message.code, headers=message.headers, body=b"", whole=False)

    def end(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _unused(self) -> ResponseHandler:
        """Return the connection's protocol. A server that left, or spoke unasked, hears nothing."""
        protocol = self._connection.protocol
        if protocol is None or not protocol.is_connected() or protocol.should_close:
            raise aiohttp.ClientConnectionResetError("it was closed before the first byte")
        return protocol


async def _read(payload: aiohttp.StreamReader) -> tuple[bytes, bool]:
    """Read what is no more than `MOST_REPLY`; the status has been said, come what may."""
    try:
        if payload.is_eof():  # nearly always: it came together with its head
            start = payload.read_nowait(MOST_REPLY + 1)
        else:
            start = await payload.readexactly(MOST_REPLY + 1)
    except asyncio.IncompleteReadError as end:
        return end.partial, True
    except (aiohttp.ClientError, OSError):
        return b"", False
    return start[:MOST_REPLY], len(start) <= MOST_REPLY
