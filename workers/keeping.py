"""Keeping a turn: its key is renewed while its job runs, and not a moment longer."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from kentongan.settling import LONGEST_OPEN
from workers.queue import QUEUE_AWAY, RUNNING_LIFE, Queue, Turn

log = logging.getLogger(__name__)

#: Seconds between two renewals; some may come late, or fail.
_RENEW_EVERY = RUNNING_LIFE / 4000


@asynccontextmanager
async def kept(
    queue: Queue, mine: Turn, *, at_most: float = LONGEST_OPEN.total_seconds()
) -> AsyncIterator[None]:
    """Renew the turn's key, so that nobody starts a second turn beside it.

    After `at_most` seconds it is renewed no more: of a turn that hangs, the work is late then,
    while under a key that is kept for ever nobody would do it.
    """
    until, is_over = monotonic() + at_most, asyncio.Event()

    async def renew() -> None:
        # A cancellation may be lost: before Python 3.12 `wait_for`, used in redis-py, swallows one
        # that comes with what it waits for. So what has ended is asked for as well.
        while not is_over.is_set():
            await asyncio.sleep(_RENEW_EVERY)
            if monotonic() > until:
                log.warning("turn hangs; others may take it", extra={"alert": mine.alert_id})
                return
            try:
                await queue.take_turn(mine)
            except QUEUE_AWAY as error:
                log.warning("turn not renewed", extra={"why": type(error).__name__})

    keeper = asyncio.create_task(renew())
    try:
        yield
    finally:
        is_over.set()
        keeper.cancel()
