"""One SMTP connection after its handshake: commands go out, replies come back in their order."""

import asyncio
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from time import monotonic

from typing_extensions import override

from channels._shared.smtp_policy import Reply

#: RFC 5321 allows reply lines of 512 octets; EHLO's answer has dozens of them.
LONGEST_REPLY = 32 * 1024

#: Most lines of a relay are the same again and again; those with a queue's number are not.
_KNOWN_LINES = 256
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:[ -].*)?", re.DOTALL)


class LostError(Exception):
    """The connection ended before the answer came."""


class GarbledError(Exception):
    """What came is no SMTP reply, or nobody had asked for it."""


class Conversation(asyncio.Protocol):
    """Our end of a connection whose handshake is done: what we write is answered in its order.

    `carried` counts its letters; `made` is when it began, in monotonic seconds; `ends` the loop's
    time by which whoever has it now must be done, whatever the relay's pace.
    """

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str]) -> None:
        self._loop = asyncio.get_running_loop()
        self.extensions = frozenset(extensions)
        self.carried = 0
        self.made = self.idle_since = monotonic()
        self.ends = math.inf
        self.is_open = not transport.is_closing()
        #: Whether something of what was written is still ours, or was when the connection ended:
        #: then the last of it has not left.
        self.holds_back = False
        #: The replies to what was said last, as far as they came.
        self.heard: list[Reply] = []
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._transport = transport
        self._waiter: asyncio.Future[list[Reply]] | None = None
        self._due = 0  # replies that `_waiter` waits for
        self._patience = self._deadline = self._not_after = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._rest = b""
        self._lines: list[bytes] = []
        transport.set_protocol(self)
        # "Paused" shall mean that anything at all is left. Not zero: asyncio's TLS pauses at that
        # size, not above it, and would never resume.
        transport.set_write_buffer_limits(high=1, low=0)

    @property
    def transport(self) -> asyncio.Transport:
        """The socket's transport, for whoever may have to abort it."""
        return self._transport

    @property
    def is_idle(self) -> bool:
        """Whether the next transaction can begin here."""
        return self.is_open and self._waiter is None and not self._transport.is_closing()

    def say(
        self, data: bytes, *, replies: int = 1, patience: float, not_after: float = math.inf
    ) -> asyncio.Future[list[Reply]]:
        """Write, and return the replies that are due: fewer where 421 is one, which ends it all.

        They may let `patience` seconds pass each, but not beyond `ends`, and so may the relay with
        taking what is written, but not beyond `not_after` either. Raises `LostError` where nothing
        could be written; the future raises that, `GarbledError` or `TimeoutError`.
        """
        if not self.is_idle:
            raise LostError("the connection was closed")
        self.heard = []
        self._waiter = waiter = self._loop.create_future()
        self._due, self._patience, self._not_after = replies, patience, not_after
        self._transport.write(data)
        self._wait_on()
        return waiter

    def quit(self) -> None:
        """Take leave without waiting for the answer."""
        if self.is_idle:
            self._transport.write(b"QUIT\r\n")
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
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self.is_open:
                self._take(line.rstrip(b"\r"))
        if self._waiter is not None:
            self._wait_on()
        if self.is_open and len(self._rest) + sum(map(len, self._lines)) > LONGEST_REPLY:
            self._break_off(GarbledError("the relay's reply has no end"))

    def _take(self, line: bytes) -> None:
        reply = _read(line)
        if reply is None or (self._lines and not line.startswith(self._lines[0][:3])):
            self._break_off(GarbledError("the relay sent something that is no reply"))
        elif line[3:4] == b"-":
            self._lines.append(line)
        elif self._lines:
            text = b" ".join([each[4:].strip() for each in (*self._lines, line)])
            self._lines.clear()
            self._answer(Reply(reply.code, text.decode(errors="replace")))
        else:
            self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        if self._waiter is None:  # mostly 421: the relay says good night to an idle connection
            self._break_off(GarbledError("the relay spoke unasked"))
            return
        self.heard.append(reply)
        self._due -= 1
        if self._due == 0 or reply.code == 421:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result(self.heard)
        if reply.code == 421:
            self.abort()

    def _wait_on(self) -> None:
        """Begin to wait anew. One timer serves all: it looks, when due, whether it still is."""
        deadline = min(self._loop.time() + self._patience, self.ends)
        if self.holds_back:
            deadline = min(deadline, self._not_after)
        self._deadline = deadline
        if self._timer is not None and self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look)
        else:
            # Cut off too: an answer that came now would be taken for that to the next command.
            self._break_off(TimeoutError("the relay did not answer in time"))

    def _break_off(self, fault: Exception) -> None:
        self._fail(fault)
        self.abort()

    def _fail(self, fault: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(fault)
            waiter.exception()  # retrieved: not everyone who could wait does

    @override
    def pause_writing(self) -> None:
        self.holds_back = True

    @override
    def resume_writing(self) -> None:
        self.holds_back = False
        if self._waiter is not None:
            self._wait_on()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        self._fail(LostError("the relay closed the connection"))
        if not self.lost.done():
            self.lost.set_result(None)


@lru_cache(_KNOWN_LINES)
def _read(line: bytes) -> Reply | None:
    """Read a line of a reply, None where it is none."""
    read = _REPLY_LINE.fullmatch(line)
    return Reply(int(read[1]), line[4:].strip().decode(errors="replace")) if read else None
