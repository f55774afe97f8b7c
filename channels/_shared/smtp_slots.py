"""Who may hold one of so many connections: the urgent come first, and find a quarter free."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Slots(Generic[T]):
    """So many slots. Where there are four or more, a quarter of them is never routine work's.

    Who waits may be handed something that serves instead of a slot; `taken_back` gets it if they
    have gone away meanwhile.
    """

    def __init__(self, size: int, taken_back: Callable[[T], None]) -> None:
        self._taken_back = taken_back
        self._free = size
        self._free_for_routine = max(1, size - size // 4)
        self._urgent: deque[asyncio.Future[T | None]] = deque()
        self._routine: deque[asyncio.Future[T | None]] = deque()

    def take_now(self, *, urgent: bool) -> bool:
        """Take a slot if one is free and nobody waits for it; tell whether."""
        if self.is_wanted(urgent=urgent) or not self._has_room(urgent=urgent):
            return False
        self._take(urgent=urgent)
        return True

    def is_wanted(self, *, urgent: bool) -> bool:
        """Whether somebody waits who comes before whoever asks now."""
        return bool(self._urgent) or (bool(self._routine) and not urgent)

    async def take(self, *, urgent: bool) -> T | None:
        """Wait in turn for a slot, which is None, or for what is handed out instead."""
        waiting = self._urgent if urgent else self._routine
        turn: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        self._call()
        try:
            return await turn
        except BaseException:  # cancelled, perhaps after it was called
            if turn.done() and not turn.cancelled():
                self._give_back(turn.result(), urgent=urgent)
            raise

    def hand(self, make: Callable[[], T], *, urgent: bool) -> bool:
        """Give what is made to the first that waits, unless the urgent do; tell whether."""
        waiting = self._urgent if urgent else self._routine
        while waiting and (urgent or not self._urgent):
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(make())
                return True
        return False

    def free(self, *, urgent: bool) -> None:
        """Give a slot back."""
        self._free += 1
        self._free_for_routine += not urgent
        if self._urgent or self._routine:
            self._call()

    def _give_back(self, given: T | None, *, urgent: bool) -> None:
        if given is None:
            self.free(urgent=urgent)
        else:
            self._taken_back(given)

    def _call(self) -> None:
        """Give what is free to who waits; those who went away meanwhile are passed over."""
        for waiting, urgent in ((self._urgent, True), (self._routine, False)):
            while waiting and self._has_room(urgent=urgent):
                turn = waiting.popleft()
                if not turn.done():
                    self._take(urgent=urgent)
                    turn.set_result(None)

    def _has_room(self, *, urgent: bool) -> bool:
        return self._free > 0 and (urgent or self._free_for_routine > 0)

    def _take(self, *, urgent: bool) -> None:
        self._free -= 1
        self._free_for_routine -= not urgent
