"""The slots of one lane: how many sends are in flight at once, and of them through one provider.

Who waits for a slot waits in the line of its provider: a relay with eight connections shall not
hold two hundred slots from everyone else. A slot that comes free goes to the next line in turn.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Protocol

#: Slots that came free within this many seconds count as free: their like will again. Each claim,
#: with its settles, costs as much as ten sends: where few slots turn over, it must reach far.
_LATELY = 0.5
#: No more of those are counted: twice the widest window.
_MOST_COUNTED = 512
#: Seconds that sends stand aside for more urgent work at a time; then they go on for as long.
_LONGEST_ASIDE = 0.25


class Send(Protocol):
    """What a slot is for."""

    async def go(self) -> None:
        """Try once and keep what came of it; raises nothing but a cancellation."""

    def ended(self) -> None:
        """Hear that it has gone, or was cut short."""


class _Room:
    """So many places, and how fast they come free."""

    __slots__ = ("_freed", "_promised", "free", "waiting")

    def __init__(self, count: int) -> None:
        self.free = count
        self.waiting = 0
        self._promised = 0
        self._freed: deque[float] = deque(maxlen=_MOST_COUNTED)

    def soon_free(self, now: float) -> int:
        """Return how many will be free within half a second, less those spoken for."""
        return self.passing(now) - self.waiting - self._promised

    def passing(self, now: float) -> int:
        freed, since = self._freed, now - _LATELY
        while freed and freed[0] < since:
            freed.popleft()
        return self.free + len(freed)

    @property
    def idle(self) -> int:
        """How many are free, and nobody waits for them."""
        return max(0, self.free - self.waiting - self._promised)

    def promise(self, count: int) -> None:
        self._promised += count

    def leave(self, now: float) -> None:
        self.free += 1
        self._freed.append(now)


class Line(_Room):
    """The sends through one provider, and those that wait for their turn."""

    __slots__ = ("sends",)

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.sends: deque[Send] = deque()


class Slots:
    """Runs sends, `count` at once; a coroutine that has ended one goes on with the next."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._all = _Room(count)
        self._lines: dict[Hashable, Line] = {}
        self._waiting: deque[Line] = deque()
        self._running: dict[Send, asyncio.Task[None]] = {}
        self._hurried = 0
        self._aside_since = self._aside_until = self._aside_again = 0.0

    def line(self, who: Hashable, at_once: int | None) -> Line:
        """Return the line of a provider that takes so many sends at once, None for any number."""
        found = self._lines.get(who)
        if found is None:
            found = self._lines[who] = Line(min(at_once or self._count, self._count))
        return found

    @property
    def is_busy(self) -> bool:
        """Whether nothing more would get a slot within half a second, through whomever."""
        return self._all.soon_free(monotonic()) < 1

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing goes, and nothing waits to."""
        return not self._running and not self._all.waiting

    @property
    def passing(self) -> int:
        """How many sends would get a slot within half a second, were none there yet."""
        return self._all.passing(monotonic())

    def room(self, line: Line) -> int:
        """Return how many more sends of a line would get their slot within half a second."""
        now = monotonic()
        return max(0, min(self._all.soon_free(now), line.soon_free(now)))

    def idle(self, line: Line) -> int:
        """Return how many more sends of a line would get their slot at once."""
        return min(self._all.idle, line.idle)

    def promise(self, line: Line, count: int) -> Callable[[], None]:
        """Keep room for what is being claimed, until what is returned is called."""
        self._promise(line, count)
        return lambda: self._promise(line, -count)

    def put(self, line: Line, sends: Iterable[Send]) -> None:
        """Have sends go as soon as there are slots."""
        before = len(line.sends)
        line.sends.extend(sends)
        added = len(line.sends) - before
        line.waiting += added
        self._all.waiting += added
        if not before and added:
            self._waiting.append(line)
        self._fill()

    @contextmanager
    def standing_aside(self) -> Iterator[None]:
        """Begin no sends while the block runs, for a quarter second and half of the time at most.

        Two hundred sends under way make each round of the loop take ten milliseconds, and what an
        urgent alert needs until its first send is thirty rounds.
        """
        self._hurried += 1
        self.stand_aside(_LONGEST_ASIDE)
        try:
            yield
        finally:
            self._hurried -= 1
            now = monotonic()
            if not self._hurried and now < self._aside_until:
                self._aside_until, self._aside_again = now, 2 * now - self._aside_since
                self._fill()

    def stand_aside(self, seconds: float) -> None:
        """Begin no sends for so long from now, if we may."""
        now = monotonic()
        if now >= self._aside_until:
            if now < self._aside_again:
                return
            self._aside_since = now
        until = min(now + seconds, self._aside_since + _LONGEST_ASIDE)
        if until > self._aside_until:
            self._aside_until, self._aside_again = until, 2 * until - self._aside_since
            # A little later, since a timer may ring within the clock's resolution before its time.
            asyncio.get_running_loop().call_later(until - now + 0.001, self._fill)

    def cut(self, sends: Iterable[Send]) -> None:
        """Cut sends short, those that have not begun and those that have."""
        given_up = set(sends)
        for line in self._lines.values():
            dropped = [send for send in line.sends if send in given_up]
            for send in dropped:
                line.sends.remove(send)
                self._begin(line)
                send.ended()
        self._waiting = deque(line for line in self._waiting if line.sends)
        for send in given_up & self._running.keys():
            self._running[send].cancel()

    def _promise(self, line: Line, count: int) -> None:
        line.promise(count)
        self._all.promise(count)

    def _begin(self, line: Line) -> None:
        line.waiting -= 1
        self._all.waiting -= 1

    def _fill(self) -> None:
        while self._all.free and (found := self._next()) is not None:
            line, send = found
            task = self._running[send] = asyncio.create_task(self._run(line, send))
            task.add_done_callback(partial(self._never_ran, line, send))

    def _next(self) -> tuple[Line, Send] | None:
        """Give a free slot to the first line that may use it."""
        waiting = self._waiting
        if waiting and monotonic() < self._aside_until:
            return None
        for _ in range(len(waiting)):
            line = waiting.popleft()
            if not line.free:
                waiting.append(line)
                continue
            send = line.sends.popleft()
            if line.sends:
                waiting.append(line)
            self._begin(line)
            line.free -= 1
            self._all.free -= 1
            return line, send
        return None

    async def _run(self, line: Line, send: Send) -> None:
        try:
            while True:
                try:
                    await send.go()
                finally:
                    task = self._running[send]
                    self._leave(line, send)
                found = self._next()
                if found is None:
                    return
                line, send = found
                self._running[send] = task
        finally:
            self._fill()  # whoever was cut short leaves its slot to others

    def _leave(self, line: Line, send: Send) -> None:
        now = monotonic()
        line.leave(now)
        self._all.leave(now)
        del self._running[send]
        send.ended()

    def _never_ran(self, line: Line, send: Send, task: asyncio.Task[None]) -> None:
        """Free the slot of a task that was cancelled before its first step."""
        if self._running.get(send) is task:
            self._leave(line, send)
            self._fill()
