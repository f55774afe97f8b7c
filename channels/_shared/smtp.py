"""One SMTP connection after its handshake: commands go out, replies come back in their order."""

import asyncio
import math
import re
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import monotonic

from typing_extensions import override

from channels._shared.smtp_policy import Reply

#: RFC 5321 allows reply lines of 512 octets; EHLO's answer has dozens of them.
LONGEST_REPLY = 32 * 1024

#: Octets that are read at a time.
_A_READ = 4096
#: Most lines of a relay are the same again and again; those with a queue's number are not.
_KNOWN_LINES = 256
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:[ -].*)?", re.DOTALL)
#: TLS counts what it holds back with what it adds to it: fewer octets than this are not told apart.
_OF_TLS = 512


class LostError(Exception):
    """The connection ended before the answer came."""


class GarbledError(Exception):
    """What came is no SMTP reply, or nobody had asked for it."""


class Due:
    """The replies that one letter waits for: fewer where 421 is one, which ends it all.

    They may let `patience` seconds pass each once those before them have come, but not beyond
    `ends`, a monotonic time, and so may the relay with taking what is written, but not beyond
    `not_after` either. `heard` are the replies as far as they came; `answer` raises `LostError`,
    `GarbledError` or `TimeoutError`. `is_said` once what they answer was given to the transport.

    `then` sees them first where all came, in the very read that brought the last: if it goes on by
    itself, it returns true, and hands `answer` on to what is due next.
    """

    __slots__ = ("answer", "count", "ends", "heard", "is_said", "not_after", "patience", "then")

    def __init__(
        self,
        count: int,
        *,
        patience: float,
        ends: float = math.inf,
        not_after: float = math.inf,
        then: "Callable[[Due], bool] | None" = None,
        answer: "asyncio.Future[list[Reply]] | None" = None,
    ) -> None:
        self.count, self.patience, self.ends, self.not_after = count, patience, ends, not_after
        self.heard: list[Reply] = []
        self.is_said = False
        self.then = then
        self.answer = answer or asyncio.get_running_loop().create_future()

    def fail(self, fault: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(fault)
            self.answer.exception()  # retrieved: not everyone who could wait does


class Conversation(asyncio.BufferedProtocol):
    """Our end of a connection whose handshake is done: what we write is answered in its order.

    It reads into a buffer of its own: for a plain protocol asyncio asks for a quarter megabyte a
    read, which costs more than all else about a reply.

    `letters` counts those that had a place on it; `made` is when it began, in monotonic seconds.
    """

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str]) -> None:
        self._loop = asyncio.get_running_loop()
        self.extensions = frozenset(extensions)
        self.letters = 0
        self.made = self.idle_since = monotonic()
        self.is_open = not transport.is_closing()
        self.was_cut = False  # by us, for no fault of the relay's
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._transport = transport
        self._dues: deque[Due] = deque()
        self._is_held_up = self._held_back = False
        self._behind = 0  # octets that were written behind the last final dot
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._buffer = memoryview(bytearray(_A_READ))
        self._rest = b""
        self._unread = 0  # lines of the present read
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
        """Whether nothing is due, and the next transaction can begin here."""
        return self.is_open and not self._dues and not self._transport.is_closing()

    @property
    def holds_back(self) -> bool:
        """Whether the last final dot is still ours, or was when the connection ended.

        Then it has not left. Where something was written behind it, this is not always known, and
        false then.
        """
        if not self.is_open:
            return self._held_back
        if not self._is_held_up or not self._behind:
            return self._is_held_up
        return self._transport.get_write_buffer_size() > self._behind + _OF_TLS

    def say(self, data: bytes, *dues: Due, behind: int | None = None) -> None:
        """Write; what is due for it comes after all that was due before.

        `behind`: `data` has a final dot, and so many octets behind it. Where nothing can be
        written, what is due fails with `LostError`.
        """
        if not self.is_open or self._transport.is_closing():
            for due in dues:
                due.fail(LostError("the connection was closed"))
            return
        for due in dues:
            due.is_said = True
        self._dues.extend(dues)
        self._behind = self._behind + len(data) if behind is None else behind
        self._transport.write(data)
        self._wait_on()

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
        self.was_cut = self.was_cut or self.is_open
        self._close()

    def _close(self) -> None:
        if self.is_open:
            self._held_back = self.holds_back
            self.is_open = False
        self._transport.abort()

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        *lines, self._rest = (self._rest + self._buffer[:nbytes]).split(b"\n")
        self._unread = len(lines)
        for line in lines:
            self._unread -= 1
            if self.is_open:
                self._take(line.rstrip(b"\r"))
        if self._dues:
            self._wait_on()
        if self.is_open and len(self._rest) + sum(map(len, self._lines)) > LONGEST_REPLY:
            self._break_off(GarbledError("the relay's reply has no end"))

    def _take(self, line: bytes) -> None:
        reply = _read(line)
        if reply is None or (self._lines and not line.startswith(self._lines[0][:3])):
            self._break_off(GarbledError("the relay sent something that is no reply"))
            return
        if line[3:4] == b"-":
            self._lines.append(line)
            return
        if self._lines:
            text = b" ".join([each[4:].strip() for each in (*self._lines, line)])
            self._lines.clear()
            reply = Reply(reply.code, text.decode(errors="replace"))
        if not self._dues:  # mostly 421: the relay says good night to an idle connection
            self._break_off(GarbledError("the relay spoke unasked"))
            return
        due = self._dues[0]
        due.heard.append(reply)
        due.count -= 1
        if due.count == 0 or reply.code == 421:
            self._dues.popleft()
            if not due.answer.done() and not self._goes_on_by_itself(due):
                due.answer.set_result(due.heard)
        if reply.code == 421:
            self._close()

    def _goes_on_by_itself(self, due: Due) -> bool:
        # Not where anything was said already that would be taken for the answer to what comes now.
        is_last = not (due.count or self._unread or self._rest or self._dues)
        if due.then is None or not is_last:
            return False
        try:
            return due.then(due)
        except BaseException:
            due.fail(LostError("what should follow the answer failed"))
            raise

    def _wait_on(self) -> None:
        """Begin to wait anew. One timer serves all: it looks, when due, whether it still is."""
        due = self._dues[0]
        deadline = min(monotonic() + due.patience, due.ends)
        if self._is_held_up:
            deadline = min(deadline, due.not_after)
        self._deadline = deadline
        if self._timer is not None and self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._dues:
            return
        if monotonic() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look)
        else:
            # Cut off too: an answer that came now would be taken for that to the next command.
            self._break_off(TimeoutError("the relay did not answer in time"))

    def _break_off(self, fault: Exception) -> None:
        """End it for the fault of whoever is being answered; to those behind it is a loss."""
        self._close()
        if self._dues:
            self._dues.popleft().fail(fault)
        self._lose()

    def _lose(self) -> None:
        while self._dues:
            self._dues.popleft().fail(LostError("the relay closed the connection"))

    @override
    def pause_writing(self) -> None:
        self._is_held_up = True

    @override
    def resume_writing(self) -> None:
        self._is_held_up = False
        if self._dues:
            self._wait_on()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_open:
            self.is_open = False
            # The buffer is gone, and with it how much was in it.
            self._held_back = self._is_held_up and not self._behind
        if self._timer is not None:
            self._timer.cancel()
        self._lose()
        if not self.lost.done():
            self.lost.set_result(None)


@lru_cache(_KNOWN_LINES)
def _read(line: bytes) -> Reply | None:
    """Read a line of a reply, None where it is none."""
    read = _REPLY_LINE.fullmatch(line)
    return Reply(int(read[1]), line[4:].strip().decode(errors="replace")) if read else None
