"""Counts alerts for all who look at once, and no more often than a tenth of the time allows."""

import asyncio
import logging
import time

from ledger import counts
from ledger.counts import Counted
from ledger.engine import Ledger, LedgerAwayError, read_now
from ledger.overviews import Overview

log = logging.getLogger(__name__)


class Counting:
    """The counts under way in this process; whoever asks meanwhile gets the same one."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Counted]] = {}

    async def counted(self, ledger: Ledger, alert: Overview) -> Counted:
        """Return the last count while that is good, else a new one, kept for the others."""
        if alert.counted is not None and alert.counted.is_good(alert.now):
            return alert.counted
        task = self._running.get(alert.id)
        if task is None:
            task = asyncio.create_task(_count(ledger, alert))
            self._running[alert.id] = task
            task.add_done_callback(lambda _: self._running.pop(alert.id, None))
        return await asyncio.shield(task)


async def _count(ledger: Ledger, alert: Overview) -> Counted:
    async with ledger.read() as db:
        at, began = await read_now(db), time.monotonic()
        found = await counts.count(db, alert.id, waiting_shows=alert.waiting_shows)
        took = int((time.monotonic() - began) * 1_000_000)
    counted = Counted(counts=found, at=at, took=took)
    try:
        async with ledger.write() as db:
            await counts.keep(db, alert.id, counted)
    except LedgerAwayError as error:
        # Whoever asked has their answer all the same; the next one counts again.
        log.warning("count is not kept", extra={"alert": alert.id, "cause": str(error)})
    return counted
