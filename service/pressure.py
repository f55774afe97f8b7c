"""Under pressure other systems are asked to come back later; people's alerts are not slowed.

Systems repeat by themselves, and a 503 with Retry-After makes them (some drop what is answered
429). An officer is never refused for what systems do.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.web.problems import ProblemError

#: Requests of systems that are served at once: fewer than there are connections to the ledger.
MOST_SERVED = 16
#: Those that may wait for their turn beside them, and for how many seconds.
MOST_WAITING = 64
WAIT = 1.0
#: Seconds for which somebody has been waiting for a commit: more than this, and systems come later.
LONGEST_LAG = 0.5
#: Seconds after which they may try again.
RETRY_AFTER = 2


class Pressure:
    """What is under way from systems in this process."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MOST_SERVED)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self, lag: float) -> AsyncIterator[None]:
        """Let a system's request take its turn; raise a 503 where that would take too long.

        `lag` is how long, in seconds, somebody has been waiting for the ledger to commit.
        """
        if lag > LONGEST_LAG or self._waiting >= MOST_WAITING:
            raise _later()
        await self._wait()
        try:
            yield
        finally:
            self._turns.release()

    async def _wait(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT):
                await self._turns.acquire()
        except TimeoutError:
            raise _later() from None
        finally:
            self._waiting -= 1


def _later() -> ProblemError:
    return ProblemError(
        503,
        "There is too much to do; nothing was done.",
        fix="Send it again after Retry-After, with the same Idempotency-Key.",
        kind="pressure",
        headers={"Retry-After": str(RETRY_AFTER)},
    )
