"""Rings the workers without ever making a caller wait for Redis."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from kentongan.alert import Lane
from workers.queue import QUEUE_AWAY, Queue

log = logging.getLogger(__name__)

#: Seconds that an answer may wait for a ring; the ledger has the work already.
PATIENCE = 0.25
#: Seconds without rings after one that failed, so that a frozen Redis does not slow every answer.
REST = 1.0


@dataclass(slots=True)
class _Asked:
    """What is to be rung next, all in one go."""

    alerts: dict[Lane, list[str]] = field(default_factory=dict)
    receipts: set[Lane] = field(default_factory=set)


class Doorbell:
    """The queue behind `service.wiring.Bell`.

    Who commits together rings together: all that is asked until the loop comes round again is one
    ring, which each of them awaits.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._resting_until = 0.0
        self._asked = _Asked()
        self._ringing: asyncio.Task[None] | None = None

    async def ring_alert(self, alert_id: str, lane: Lane, after: float = 0) -> None:
        """Say that an alert has work to do, `after` seconds."""
        if after:
            await self._tried(self._queue.ring_alert(alert_id, lane, after))
            return
        self._asked.alerts.setdefault(lane, []).append(alert_id)
        await self._ring_with_others()

    async def ring_receipts(self, lane: Lane) -> None:
        """Say that providers, or people, reported something."""
        self._asked.receipts.add(lane)
        await self._ring_with_others()

    async def _ring_with_others(self) -> None:
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._ring_all())
        # A caller who goes away takes nobody's ring along.
        await asyncio.shield(self._ringing)

    async def _ring_all(self) -> None:
        asked, self._asked, self._ringing = self._asked, _Asked(), None
        await self._tried(self._ring(asked))

    async def _ring(self, asked: _Asked) -> None:
        for lane in (Lane.FLASH, Lane.ROUTINE):
            if alerts := asked.alerts.get(lane):
                await self._queue.ring_alerts(alerts, lane)
            if lane in asked.receipts:
                await self._queue.ring_receipts(lane)

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

    async def _tried(self, ring: Coroutine[Any, Any, None]) -> None:
        if time.monotonic() < self._resting_until:
            ring.close()
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await ring
        except QUEUE_AWAY as error:
            self._resting_until = time.monotonic() + REST
            log.warning(
                "queue is away; the workers' sweep finds the work",
                extra={"cause": type(error).__name__},
            )
