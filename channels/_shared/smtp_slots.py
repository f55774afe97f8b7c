"""Who may hold one of so many connections: the urgent come first, and find a quarter free."""

import asyncio
from collections import deque


class Slots:
    """So many slots. Where there are four or more, a quarter of them is never routine work's."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._free_for_routine = max(1, size - size // 4)
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._routine: deque[asyncio.Future[None]] = deque()

    def take_now(self, *, urgent: bool) -> bool:
        """Take a slot if one is free and nobody waits for it; tell whether."""
        if self._urgent or (self._routine and not urgent) or not self._has_room(urgent=urgent):
            return False
        self._take(urgent=urgent)
        return True

    async def take(self, *, urgent: bool) -> None:
        """Wait for a slot, in turn."""
        waiting = self._urgent if urgent else self._routine
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        self._call()
        try:
            await turn
        except BaseException:  # cancelled, perhaps after it was called
            if turn.done() and not turn.cancelled():
                self.free(urgent=urgent)
            raise

    def free(self, *, urgent: bool) -> None:
        """Give a slot back."""
        self._free += 1
        self._free_for_routine += not urgent
        if self._urgent or self._routine:
            self._call()

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
