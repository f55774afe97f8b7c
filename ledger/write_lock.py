"""SQLite's one write lock: writers of one process take turns, those of others are waited out.

Each look at a lock that is held costs half a millisecond, and most looks found it held by a writer
of the same process; in turn, none of them is wasted.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from sqlite3 import OperationalError

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.driver import run


class WriteLock:
    """The turns of one process's writers, first come, first served."""

    def __init__(self) -> None:
        self._ours = asyncio.Lock()

    @asynccontextmanager
    async def in_turn(self, patience: float) -> AsyncIterator[None]:
        """Hold the turn; raises `TimeoutError` when it does not come within `patience` seconds."""
        async with asyncio.timeout(patience):
            await self._ours.acquire()
        try:
            yield
        finally:
            self._ours.release()


async def begin_immediate(db: AsyncConnection, patience: float, wait: float) -> None:
    """Take the write lock, looking again each `wait` seconds; SQLite's own handler waits longer."""
    deadline = time.monotonic() + patience
    while True:
        try:
            await run(db, "BEGIN IMMEDIATE")
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            await asyncio.sleep(wait)
        else:
            return
