"""Rings the workers without ever making a caller wait for Redis."""

import asyncio
import logging
import time
from collections.abc import Awaitable

from kentongan.alert import Lane
from workers.queue import QUEUE_AWAY, Queue

log = logging.getLogger(__name__)

#: Seconds that an answer may wait for a ring; the ledger has the work already.
PATIENCE = 0.25
#: Seconds without rings after one that failed, so that a frozen Redis does not slow every answer.
REST = 1.0


class Doorbell:
    """The queue behind `service.wiring.Bell`."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._resting_until = 0.0

    async def ring_alert(self, alert_id: str, lane: Lane, after: float = 0) -> None:
        """Say that an alert has work to do, `after` seconds."""
        if self._may_ring():
            await self._tried(self._queue.ring_alert(alert_id, lane, after))

    async def ring_receipts(self, lane: Lane) -> None:
        """Say that providers, or people, reported something."""
        if self._may_ring():
            await self._tried(self._queue.ring_receipts(lane))

    async def is_away(self) -> bool:
        """Tell whether Redis cannot be reached."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._queue.redis.ping()
        except QUEUE_AWAY:
            return True
        return False

    async def close(self) -> None:
        """Give the connections back."""
        await self._queue.close()

    def _may_ring(self) -> bool:
        return time.monotonic() >= self._resting_until

    async def _tried(self, ring: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await ring
        except QUEUE_AWAY as error:
            self._resting_until = time.monotonic() + REST
            log.warning(
                "queue is away; the workers' sweep finds the work",
                extra={"cause": type(error).__name__},
            )
