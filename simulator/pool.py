"""Does things later: timers that hand jobs to a fixed number of hands."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class Pool:
    """At most `hands` jobs run at once, however many are due; a job waiting costs no task."""

    def __init__(self, speed: float, hands: int = 64) -> None:
        self.speed = speed
        self._hands = hands
        self._due: asyncio.Queue[Job] = asyncio.Queue()
        self._running: list[asyncio.Task[None]] = []
        self._alone: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._running = [asyncio.create_task(self._work()) for _ in range(self._hands)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = [*self._running, *self._alone]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def later(self, delay: float, job: Job) -> None:
        """Run `job` in `delay` simulated seconds."""
        asyncio.get_running_loop().call_later(delay / self.speed, self._due.put_nowait, job)

    def alone(self, job: Job) -> asyncio.Task[None]:
        """Run a job that mostly waits for time to pass, such as a call, in a task of its own."""
        task = asyncio.create_task(_safely(job))
        self._alone.add(task)
        task.add_done_callback(self._alone.discard)
        return task

    async def sleep(self, delay: float) -> None:
        """Let `delay` simulated seconds pass."""
        await asyncio.sleep(delay / self.speed)

    async def _work(self) -> None:
        while True:
            await _safely(await self._due.get())


async def _safely(job: Job) -> None:
    """A bug in one job must not take the carrier away from all others."""
    try:
        await job()
    except Exception:
        log.exception("a job of the simulator failed")
