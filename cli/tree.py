"""The process tree of `kentongan up`: started in order, restarted on a crash, stopped in order."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from cli.process import CannotStartError

FIRST_WAIT = 0.5  # seconds before the first restart; doubles
LONGEST_WAIT = 10.0
#: A child that lived this long has recovered: its next restart waits `FIRST_WAIT` again.
SETTLED_AFTER = 30.0
GRACE = 10.0  # seconds to finish in after SIGTERM
TRIES_AT_START = 3
MISTAKE = 2  # the exit code of a command that was called or configured wrongly: trying is no use
_LOOK_EVERY = 0.05


class Child(Protocol):
    """What the tree asks of a child; `Process` and `Valkey` are such."""

    @property
    def name(self) -> str: ...
    def start(self) -> None: ...
    def is_alive(self) -> bool: ...
    def is_ready(self) -> bool: ...
    def ask_to_stop(self) -> None: ...
    def kill(self) -> None: ...
    def how_it_ended(self) -> str: ...
    def exit_code(self) -> int | None: ...


class StartError(Exception):
    """A child cannot be brought up; the message says which and how it ended."""

    def __init__(self, child: Child, sentence: str) -> None:
        super().__init__(sentence)
        self.child = child


@dataclass(slots=True)
class _Watch:
    """A child, and when it is to be started again."""

    child: Child
    started_at: float = 0.0
    failures: int = 0
    due_at: float | None = None


class Tree:
    """Children in stages: each stage starts when the one before it is ready.

    `stops` is the order of stopping, also in stages. Everything runs in the main thread: a child
    is bound to the life of the thread that started it.
    """

    def __init__(
        self,
        starts: Sequence[Sequence[Child]],
        stops: Sequence[Sequence[Child]],
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
    ) -> None:
        self._starts = [[_Watch(child) for child in stage] for stage in starts]
        self._stops = stops
        self._say = say
        self._signals = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have SIGINT, SIGTERM and SIGHUP end the tree in order; a second one hurries it."""
        kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {kind: signal.getsignal(kind) for kind in kinds}
        for kind, handler in before.items():
            if handler is not signal.SIG_IGN:  # nohup stays nohup
                signal.signal(kind, self._on_signal)
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    @property
    def is_ending(self) -> bool:
        """Whether someone has asked us to stop."""
        return self._signals > 0

    def start(self, seconds: float = 60.0) -> None:
        """Bring up every stage; return early when asked to stop. Raise `StartError`."""
        deadline = time.monotonic() + seconds
        for stage in self._starts:
            for watch in stage:
                self._start_one(watch, TRIES_AT_START)
            while not self.is_ending and not all(watch.child.is_ready() for watch in stage):
                self._watch_over(TRIES_AT_START)
                if time.monotonic() > deadline:
                    late = next(watch.child for watch in stage if not watch.child.is_ready())
                    raise StartError(late, f"{late.name} is not ready after {seconds:.0f} s.")
                time.sleep(_LOOK_EVERY)

    def run(self) -> None:
        """Keep everything alive until someone asks us to stop."""
        while not self.is_ending:
            self._watch_over(None)
            time.sleep(_LOOK_EVERY)

    def stop(self) -> None:
        """End every stage in order: asked, given `GRACE`, then killed."""
        for stage in self._stops:
            for child in stage:
                child.ask_to_stop()
            deadline = time.monotonic() + GRACE
            while any(child.is_alive() for child in stage) and time.monotonic() < deadline:
                if self._signals > 1:
                    break
                time.sleep(_LOOK_EVERY / 5)
            for child in stage:
                if child.is_alive():
                    self._say(f"{child.name} did not stop in time and was killed")
                    child.kill()

    def _watch_over(self, tries: int | None) -> None:
        now = time.monotonic()
        for watch in (watch for stage in self._starts for watch in stage):
            if watch.due_at is not None:
                if now >= watch.due_at:
                    self._start_one(watch, tries)
            elif watch.started_at and not watch.child.is_alive():
                self._try_later(watch, f"ended ({watch.child.how_it_ended()})", tries)

    def _start_one(self, watch: _Watch, tries: int | None) -> None:
        watch.started_at = time.monotonic()
        watch.due_at = None
        try:
            watch.child.start()
        except (CannotStartError, OSError) as error:
            self._try_later(watch, f"cannot start: {error}", tries)

    def _try_later(self, watch: _Watch, why: str, tries: int | None) -> None:
        """Put the child down for its next start, unless `tries` are used up."""
        now = time.monotonic()
        if now - watch.started_at >= SETTLED_AFTER:
            watch.failures = 0
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2**watch.failures)
        watch.failures += 1
        watch.due_at = now + wait
        sentence = f"{watch.child.name} {why}"
        if tries is not None and (watch.failures >= tries or watch.child.exit_code() == MISTAKE):
            raise StartError(watch.child, sentence)
        self._say(f"{sentence}; starting it again in {wait:g} s")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
