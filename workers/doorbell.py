"""arq's Worker, made to listen: it polls at once when the bell rings, else by the clock.

arq polls each half second by default, which an evacuation would wait for. It also ends when Redis
closes; `workers.hands` starts it again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio.client import PubSub
from typing_extensions import override

from kentongan.alert import Lane
from workers.queue import bell_name, queue_name, turn_name
from workers.wire import pack, unpack

log = logging.getLogger(__name__)

#: Seconds between polls when no bell rings.
POLL_EVERY = 0.5
#: A bell for later than this many seconds is none of ours.
_LONGEST_BELL = 3600
#: A job that runs longer is cancelled; it then hands back what it had not begun. Longer than the
#: longest send (45 s) and its settle.
JOB_TIMEOUT = 55


class DoorbellWorker(Worker):
    """One lane's worker over a Redis client of its own, which it closes."""

    def __init__(
        self,
        redis: ArqRedis,
        lane: Lane,
        jobs: Mapping[str, Callable[..., Any]],
        *,
        slots: int,
        context: dict[str, Any],
        poll_every: float = POLL_EVERY,
    ) -> None:
        super().__init__(
            functions=[func(job, name=name) for name, job in jobs.items()],
            queue_name=queue_name(lane),
            redis_pool=redis,
            max_jobs=slots,
            job_timeout=JOB_TIMEOUT,
            keep_result=0,
            max_tries=1_000_000,  # attempts are counted in the ledger
            poll_delay=poll_every,
            health_check_interval=3600,
            handle_signals=False,
            log_results=False,
            job_serializer=pack,
            job_deserializer=unpack,
            ctx=context,
        )
        self._lane = lane
        self._poll_every = poll_every
        self._rung = asyncio.Event()

    @override
    async def main(self) -> None:
        self.ctx["redis"] = self.pool
        listener = self.pool.pubsub()
        await listener.subscribe(bell_name(self._lane))
        hearing = asyncio.create_task(self._hear(listener))
        try:
            # A cancellation may be lost: before Python 3.12 `wait_for`, used in redis-py,
            # swallows one that comes with what it waits for. So `finish` ends this too.
            while self.allow_pick_jobs:
                self._rung.clear()
                await self._poll_iteration()
                if hearing.done():
                    hearing.result()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_every):
                        await self._rung.wait()
        finally:
            hearing.cancel()
            with contextlib.suppress(Exception):
                await listener.aclose()

    @override
    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Start jobs, one turn of an alert's channel at a time: its others are for others.

        Each try at a job costs four round trips, and all workers hear of each turn.
        """
        if len(job_ids) >= self.queue_read_limit:
            # A page full of such turns would hide what waits behind it.
            await super().start_jobs(job_ids)
            return
        alike: dict[str | bytes, list[bytes]] = {}
        for job_id in job_ids:
            alike.setdefault(turn_name(job_id.decode()) or job_id, []).append(job_id)
        for name, some in alike.items():
            # What others run is still in the queue; the last to come is the likeliest to wait.
            for job_id in reversed(some):
                if name not in self._turns_under_way():
                    await super().start_jobs([job_id])

    def _turns_under_way(self) -> set[str | None]:
        return {turn_name(job_id) for job_id, task in self.tasks.items() if not task.done()}

    async def _hear(self, listener: PubSub) -> None:
        """Poll for what was handed in; a bell carries the seconds until its job is due."""
        loop = asyncio.get_running_loop()
        while True:
            heard = await listener.get_message(ignore_subscribe_messages=True, timeout=1.0)
            if heard is None:
                continue
            after = _seconds(heard["data"])
            if after <= 0:
                self._rung.set()
            else:
                loop.call_later(after, self._rung.set)

    @override
    def _release_sem_dec_counter_on_complete(self) -> None:
        """A slot came free: whoever waited in the queue need not wait for the clock."""
        super()._release_sem_dec_counter_on_complete()
        self._rung.set()

    async def finish(self, until: float) -> None:
        """Take no more jobs, give those that run until `until` (monotonic), cancel the rest."""
        self.allow_pick_jobs = False
        self._rung.set()
        running = list(self.tasks.values())
        if running:
            await asyncio.wait(running, timeout=max(0.0, until - monotonic()))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _seconds(rung: bytes) -> float:
    """Read a bell; whatever else somebody publishes there is worth one look, at once."""
    try:
        after = float(rung)
    except ValueError:
        return 0
    return after if 0 <= after <= _LONGEST_BELL else 0
