"""Ringing for retries when they fall due; the sweep alone would be up to two seconds late."""

import asyncio
import logging
import math
from collections.abc import Sequence

from kentongan.alert import Alert
from kentongan.delivery import Work
from ledger.settle import Settled
from workers.queue import QUEUE_AWAY
from workers.runtime import Runtime

log = logging.getLogger(__name__)

#: Retries that fall due within this many seconds of each other share a ring.
_TOGETHER = 0.2
#: Rings that one window may ask for; the sweep sees to the rest.
_MOST = 8


def ring_when_due(run: Runtime, alert: Alert, channel: str, written: Sequence[Settled]) -> None:
    """Ring for an alert's channel when the retries among `written` fall due."""
    waits = {
        math.ceil(settled.due_in / _TOGETHER) * _TOGETHER
        for settled in written
        if settled.work is Work.RETRY_WAIT and settled.due_in is not None
    }
    for seconds in sorted(waits)[:_MOST]:
        run.go_on(_ring_after(run, alert, channel, seconds))


async def _ring_after(run: Runtime, alert: Alert, channel: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    try:
        await run.queue.ring_turn(alert.id, channel, alert.lane)
    except QUEUE_AWAY:
        log.info("queue is away; the sweep will ring", extra={"alert": alert.id})
