"""Other people's servers at their worst, on loopback, and what they heard."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Talk = Callable[["Heard", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Heard:
    """Where the server listens, and all that reached it."""

    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def everything(self) -> bytes:
        return b"".join(self.requests)


@asynccontextmanager
async def serving(talk: Talk, host: str = "127.0.0.1") -> AsyncIterator[Heard]:
    """Serve each connection with `talk`; connections end with the block."""
    heard = Heard(host=host)
    open_ones: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(heard, reader, writer)
        finally:
            open_ones.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, host, 0)
    heard.port = server.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        server.close()
        for task in list(open_ones):
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


async def hear_request(heard: Heard, reader: asyncio.StreamReader) -> None:
    """Read one HTTP request with a Content-Length and note it."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:] if line)
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    heard.requests.append(head + body)


def answering(status: int, headers: str = "", body: bytes = b"{}") -> Talk:
    """Speak HTTP: hear requests, answer each in the same way."""
    head = f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\n{headers}\r\n"

    async def talk(
        heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await hear_request(heard, reader)
            writer.write(head.encode() + body)
            await writer.drain()

    return talk


def saying(raw: bytes) -> Talk:
    """Hear a request, say `raw`, and hang up."""

    async def talk(
        heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await hear_request(heard, reader)
        writer.write(raw)
        await writer.drain()

    return talk


async def hang_up(_: Heard, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
    """Accept and close at once."""


async def hang(heard: Heard, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Hear a request and never answer."""
    await hear_request(heard, reader)
    await asyncio.Event().wait()


async def reset(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hear a request and reset the connection."""
    await hear_request(heard, reader)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def smtp(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak just enough SMTP to take every message."""
    writer.write(b"220 here ESMTP\r\n")
    while line := await reader.readline():
        heard.requests.append(line)
        match line[:4].upper():
            case b"EHLO":
                writer.write(b"250-here\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            case b"DATA":
                writer.write(b"354 go on\r\n")
                await writer.drain()
                heard.requests.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 2.0.0 taken\r\n")
            case b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            case _:
                writer.write(b"250 2.0.0 ok\r\n")
        await writer.drain()


def closed_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert isinstance(port, int)
        return port
