"""One SMTP connection after its handshake: commands go out, replies come back in their order."""

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from channels._shared.smtp_policy import Reply

#: RFC 5321 allows reply lines of 512 octets; EHLO's answer has dozens of them.
LONGEST_REPLY = 32 * 1024

_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)


class LostError(Exception):
    """The connection ended before the answer came."""


class GarbledError(Exception):
    """What came is no SMTP reply, or nobody had asked for it."""


class Conversation(asyncio.Protocol):
    """Our end of a connection whose handshake is done: what we write is answered in its order."""

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str]) -> None:
        self.extensions = frozenset(extensions)
        self.carried = 0
        self.is_open = not transport.is_closing()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport = transport
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._drained: asyncio.Future[None] | None = None
        transport.set_protocol(self)
        # "Paused" shall mean that anything at all is left, so that `drained` can wait for it. Not
        # zero: asyncio's TLS pauses at that size, not above it, and would never resume.
        transport.set_write_buffer_limits(high=1, low=0)

    @property
    def transport(self) -> asyncio.Transport:
        """The socket's transport, for whoever may have to abort it."""
        return self._transport

    @property
    def is_idle(self) -> bool:
        """Whether the next transaction can begin here."""
        return self.is_open and not self._waiting and not self._transport.is_closing()

    def say(self, data: bytes, replies: int = 1) -> list[asyncio.Future[Reply]]:
        """Write, and return one future for each reply that is due."""
        if not self.is_open or self._transport.is_closing():
            raise LostError("the connection was closed")
        loop = asyncio.get_running_loop()
        due: list[asyncio.Future[Reply]] = [loop.create_future() for _ in range(replies)]
        self._waiting.extend(due)
        self._transport.write(data)
        return due

    async def drained(self) -> None:
        """Wait until everything written has been handed to the system. Raises `LostError`."""
        if self._drained is not None:
            await self._drained

    def quit(self) -> None:
        """Take leave without waiting for the answer."""
        if self.is_idle:
            self.say(b"QUIT\r\n")
            self.is_open = False
            self._transport.close()
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once; what is still in our buffer never leaves."""
        self.is_open = False
        self._transport.abort()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) + sum(map(len, self._lines)) > LONGEST_REPLY:
            self._break_off(GarbledError("the relay's reply has no end"))
            return
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            if self.is_open:
                self._take(bytes(line.rstrip(b"\r")))

    def _take(self, line: bytes) -> None:
        read = _REPLY_LINE.fullmatch(line)
        if read is None or (self._lines and not line.startswith(self._lines[0][:3])):
            self._break_off(GarbledError("the relay sent something that is no reply"))
            return
        self._lines.append(line)
        if read[2] == b"-":
            return
        text = b" ".join(each[4:].strip() for each in self._lines).decode(errors="replace")
        self._lines.clear()
        self._answer(Reply(int(read[1]), text))

    def _answer(self, reply: Reply) -> None:
        if not self._waiting:  # mostly 421: the relay says good night to an idle connection
            self._break_off(GarbledError("the relay spoke unasked"))
            return
        waiter = self._waiting.popleft()
        if not waiter.done():
            waiter.set_result(reply)

    def _break_off(self, fault: Exception) -> None:
        self._fail(fault)
        self.abort()

    def _fail(self, fault: Exception) -> None:
        for waiter in self._waiting:
            _give_up(waiter, fault)
        self._waiting.clear()
        if self._drained is not None:
            _give_up(self._drained, fault)

    @override
    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    @override
    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._fail(LostError("the relay closed the connection"))
        if not self.lost.done():
            self.lost.set_result(None)


def _give_up(waiter: asyncio.Future[Any], fault: Exception) -> None:
    if not waiter.done():
        waiter.set_exception(fault)
        waiter.exception()  # retrieved: not everyone who could wait does
