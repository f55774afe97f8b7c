"""Posts ready requests over kept connections, at as little cost as asyncio allows.

Whoever sends the load runs on the same two cores as what is measured, so it parses no more than it
must: the status, and how long the body is.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


class UnexpectedAnswerError(Exception):
    """The door under load refused; its figures would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests to one server, each as the bytes that go over the wire."""

    port: int
    requests: Sequence[bytes]
    connections: int
    status: int = 200


def request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a POST as it goes over the wire, but for the Host, which the header may name."""
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def post_all(load: Load) -> float:
    """Send everything; return the seconds until the last answer."""
    began = time.monotonic()
    left = iter(load.requests)
    await asyncio.gather(*(_over_one(load, left) for _ in range(load.connections)))
    return time.monotonic() - began


async def _over_one(load: Load, left: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    try:
        for each in left:
            writer.write(each)
            status, body = await _answer(reader)
            if status != load.status:
                raise UnexpectedAnswerError(f"{status}: {body[:500].decode(errors='replace')}")
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, after = head.partition(b"content-length: ")
    length = int(after.partition(b"\r\n")[0] or b"0")
    return int(head[9:12]), await reader.readexactly(length)
