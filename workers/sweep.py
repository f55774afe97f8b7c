"""Every worker, every two seconds: ring for what the ledger says is due, end what is over.

Redis is only a doorbell. Should it be away, a sweep does the work itself instead of ringing.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from kentongan.alert import Control, Lane
from ledger import events, leases, recalls, sweep
from ledger.sweep import OpenAlert
from workers.expand import expand_some
from workers.merge import merge_some
from workers.queue import QUEUE_AWAY
from workers.recall import recall, recallable
from workers.runtime import Runtime
from workers.turn import send_some, width_for

log = logging.getLogger(__name__)

#: Deliveries that one statement ends; on SQLite it holds the write lock under 20 ms.
_PAGE = 500
#: Windows that are sent directly, one after the other, before a sweep looks again.
_DIRECT_WINDOWS = 20

Work = Callable[[], Coroutine[Any, Any, object]]


class Sweep:
    """What this worker looks after by itself."""

    def __init__(self, run: Runtime) -> None:
        self._run = run
        #: What is being done directly, so that it is done once at a time in this worker.
        self._directly: dict[str, asyncio.Task[object]] = {}
        #: Redis failed in this look: a frozen one takes seconds to fail, once is enough.
        self._is_away = False
        self._is_ending = False

    async def once(self) -> None:
        """Look once. Raises `LedgerAwayError`."""
        self._is_away = False
        async with self._run.ledger.read() as db:
            unjoined = await events.any_unjoined(db)
            workers = await leases.living(db)
        if unjoined:
            await self._ring(
                "merge",
                lambda: self._run.queue.ring_receipts(Lane.ROUTINE),
                lambda: merge_some(self._run),
            )
        last: OpenAlert | None = None
        while True:
            async with self._run.ledger.read() as db:
                found = await sweep.open_alerts(db, last)
            if found:
                await self._look_after(found, workers)
            if len(found) < sweep.MOST:
                return
            last = found[-1]

    async def _look_after(self, found: Sequence[OpenAlert], workers: int) -> None:
        """Ring for what is due and end what is over; it looks before it takes any lock."""
        for alert in found:
            # Those of an expired alert are found too: nobody may be missing from the books.
            is_left = not alert.expanded and not alert.aside
            if is_left and (alert.control is Control.ACTIVE or alert.expired):
                await self._ring_alert(alert)
        running = [a for a in found if a.control is Control.ACTIVE and not a.expired]
        async with self._run.ledger.read() as db:
            due = await sweep.due_channels(db, running)
            over = await sweep.over_and_waiting(db, found)
            held = await recalls.holding(
                db, [a.id for a in found if a.is_over and recallable(self._run, a)]
            )
            done = await sweep.closable(db, found)
        by_id = {alert.id: alert for alert in running}
        for alert_id, channel in due:
            await self._ring_turn(by_id[alert_id], channel, workers)
        for alert in over:
            async with self._run.ledger.bulk() as db:
                await sweep.end_waiting(db, alert, _PAGE)
        for alert in found:
            if alert.id in held:
                self._begin(f"recall:{alert.id}", partial(recall, self._run, alert))
        for alert in done:
            async with self._run.ledger.write() as db:
                await sweep.close_if_done(db, alert)

    async def _ring_alert(self, alert: OpenAlert) -> None:
        # A correction is looked at before it is due: its original may be quiet already.
        if alert.due or alert.corrects:
            await self._ring(
                f"expand:{alert.id}",
                lambda: self._run.queue.ring_due(alert.id, alert.lane),
                lambda: expand_some(self._run, alert.id),
            )

    async def _ring_turn(self, alert: OpenAlert, channel: str, workers: int) -> None:
        width = width_for(self._run.providers(alert.mode).of(channel), workers)
        await self._ring(
            f"turn:{alert.id}:{channel}",
            lambda: self._run.queue.ring_turn(alert.id, channel, alert.lane, width),
            lambda: self._send_directly(alert.id, channel),
        )

    async def _send_directly(self, alert_id: str, channel: str) -> None:
        for _ in range(_DIRECT_WINDOWS):
            if self._is_ending:
                return
            wait = await send_some(self._run, alert_id, channel)
            if wait is None:
                return
            await asyncio.sleep(wait)

    async def _ring(self, name: str, ring: Work, directly: Work) -> None:
        if not self._is_away:
            try:
                await ring()
            except QUEUE_AWAY as error:
                self._is_away = True
                log.info("queue is away; doing it directly", extra={"why": type(error).__name__})
            else:
                return
        self._begin(name, directly)

    def _begin(self, name: str, directly: Work) -> None:
        """Do something beside the looks, once at a time."""
        if name not in self._directly and not self._is_ending:
            task = asyncio.create_task(directly())
            self._directly[name] = task
            task.add_done_callback(lambda done: self._forget(name, done))

    def _forget(self, name: str, done: "asyncio.Task[object]") -> None:
        del self._directly[name]
        if not done.cancelled() and done.exception() is not None:
            log.warning("direct work failed", extra={"why": type(done.exception()).__name__})

    async def stop(self, grace: float) -> None:
        """Begin nothing directly any more; what is under way gets `grace` seconds to end."""
        self._is_ending = True
        tasks = list(self._directly.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
