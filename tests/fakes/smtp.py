"""A relay that says what a test has it say, at any point, and keeps every byte it hears.

It does not hang back with answers (so it takes pipelined commands), and it reads mail data by the
strict rule: the end is CRLF, dot, CRLF and nothing else.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

BARE: tuple[str, ...] = ()
#: Seconds that a relay takes which is late.
LATE = 0.3
EVERYTHING = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 10485760")


class Deed(Enum):
    """What a relay may do instead of answering."""

    STALL = "says nothing more, but keeps the connection"
    DROP = "closes the connection"
    RESET = "resets the connection"
    STOP_READING = "answers 354 and reads nothing more"
    LATE = "answers as usual, but takes its time"


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came in, dot-stuffing still in it."""

    mail: str
    rcpt: str
    data: bytes

    @property
    def content(self) -> bytes:
        """What a mailbox would hold."""
        return (b"\r\n" + self.data).replace(b"\r\n..", b"\r\n.")[2:]


Answer = str | bytes | Deed


@dataclass(slots=True)
class Relay:
    """`answers` has, by verb, what is said the first, second, … time; the last one is repeated.

    Verbs are GREETING, EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, DOT, RSET, NOOP, QUIT.
    """

    answers: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    extensions: Sequence[str] = EVERYTHING
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    port: int = 0
    messages: list[Heard] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    writes: list[bytes] = field(default_factory=list)  # what came in one piece after the greeting
    _said: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def hang_up(self, words: str) -> None:
        """Say something unasked on every connection and close it."""
        for writer in self._writers:
            writer.write(words.encode() + b"\r\n")
            writer.close()

    def verbs(self) -> list[str]:
        return [_verb(line) for line in self.lines]

    def answer(self, verb: str, usual: str) -> Answer:
        script = self.answers.get(verb, ())
        if not script:
            return usual
        at = min(self._said[verb], len(script) - 1)
        self._said[verb] += 1
        return script[at] or usual


@asynccontextmanager
async def listening(relay: Relay) -> AsyncIterator[Relay]:
    """Run the relay on a free port of 127.0.0.1."""
    talks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_Session(relay, reader, writer).run())
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(
        begin, "127.0.0.1", 0, ssl=relay.tls if relay.implicit else None
    )
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for task in tuple(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


class _Over(Exception):  # noqa: N818 - the end of a dialogue is no error
    pass


class _Session:
    def __init__(
        self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._relay, self._reader, self._writer = relay, reader, writer
        self._buffer = b""
        self._mail = self._rcpt = ""

    async def run(self) -> None:
        relay = self._relay
        relay.connections += 1
        relay.open_now += 1
        relay.most_open = max(relay.most_open, relay.open_now)
        relay._writers.add(self._writer)
        try:
            await self._say("GREETING", "220 relay.example ESMTP")
            while True:
                await self._turn((await self._until(b"\r\n")).decode("utf-8", "replace"))
        except (_Over, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            relay.open_now -= 1
            relay._writers.discard(self._writer)
            # No `wait_closed`: after a failed STARTTLS it waits for ever (Python 3.11).
            self._writer.transport.abort()

    async def _turn(self, line: str) -> None:
        self._relay.lines.append(line)
        verb = _verb(line)
        match verb:
            case "EHLO":
                await self._say(verb, _ehlo(self._extensions()))
            case "STARTTLS":
                await self._start_tls()
            case "MAIL":
                self._mail = line
                await self._say(verb, "250 2.1.0 Ok")
            case "RCPT":
                self._rcpt = line
                await self._say(verb, "250 2.1.5 Ok")
            case "DATA":
                await self._data()
            case "AUTH":
                await self._say(verb, "235 2.7.0 Welcome")
            case "QUIT":
                await self._say(verb, "221 2.0.0 Bye")
                raise _Over
            case _:
                await self._say(verb, "250 2.0.0 Ok")

    def _extensions(self) -> Iterable[str]:
        is_secure = self._writer.get_extra_info("sslcontext") is not None
        offers = [*self._relay.extensions]
        return [*offers, "STARTTLS"] if self._relay.tls and not is_secure else offers

    async def _start_tls(self) -> None:
        said = await self._say("STARTTLS", "220 2.0.0 Ready")
        if not said.startswith(b"220"):
            return
        assert self._relay.tls is not None
        await self._writer.start_tls(self._relay.tls)

    async def _data(self) -> None:
        said = await self._say("DATA", "354 Go ahead")
        if not said.startswith(b"354"):
            return
        data = await self._until(b"\r\n.\r\n", before=b"\r\n")
        self._relay.messages.append(Heard(self._mail, self._rcpt, data))
        await self._say("DOT", "250 2.0.0 Ok: queued as 4F1B2")

    async def _say(self, verb: str, usual: str) -> bytes:
        match self._relay.answer(verb, usual):
            case Deed.STALL:
                await asyncio.sleep(3600)
                raise _Over
            case Deed.STOP_READING:
                self._writer.write(b"354 Go ahead\r\n")
                self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # it has one
                await asyncio.sleep(3600)
                raise _Over
            case Deed.LATE:
                await asyncio.sleep(LATE)
                return await self._write(usual.encode() + b"\r\n")
            case Deed.DROP:
                self._writer.close()
                raise _Over
            case Deed.RESET:
                self._writer.transport.abort()
                raise _Over
            case bytes() as raw:
                return await self._write(raw)
            case str() as line:
                return await self._write(line.encode() + b"\r\n")
            case never:
                assert_never(never)

    async def _write(self, said: bytes) -> bytes:
        self._writer.write(said)
        await self._writer.drain()
        return said

    async def _until(self, end: bytes, before: bytes = b"") -> bytes:
        """Read up to `end`; `before` is taken to stand in front of what is read."""
        while (at := (before + self._buffer).find(end)) < 0:
            piece = await self._reader.read(65536)
            if not piece:
                raise _Over
            self._relay.writes.append(piece)
            self._buffer += piece
        whole = before + self._buffer
        read, self._buffer = whole[len(before) : at], whole[at + len(end) :]
        return read + b"\r\n" if before else read


def _verb(line: str) -> str:
    return line.partition(" ")[0].partition(":")[0].upper()


def _ehlo(extensions: Iterable[str]) -> str:
    lines = ["relay.example", *extensions]
    return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
