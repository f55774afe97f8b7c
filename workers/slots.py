"""How many sends of one lane may be in flight at once in this worker."""

import asyncio
from collections import deque
from time import monotonic

#: Slots that came free within this many seconds count as free: their like will again.
_LATELY = 0.25


class Slots:
    """A semaphore that knows how many it would let through soon."""

    def __init__(self, count: int) -> None:
        self._semaphore = asyncio.Semaphore(count)
        self._free = count
        self._freed: deque[float] = deque(maxlen=count)

    def soon_free(self) -> int:
        """Return how many are free, with as many more as came free in the last quarter second."""
        since = monotonic() - _LATELY
        while self._freed and self._freed[0] < since:
            self._freed.popleft()
        return self._free + len(self._freed)

    async def __aenter__(self) -> None:
        await self._semaphore.acquire()
        self._free -= 1

    async def __aexit__(self, *_error: object) -> None:
        self._free += 1
        self._freed.append(monotonic())
        self._semaphore.release()
