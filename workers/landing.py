"""Outcomes of all windows of a worker, written together: one transaction of a lane at a time.

If each window wrote its own, as many small transactions as there are windows would stand in one
queue for SQLite's bulk lock, while claims, which need no place in it, go on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from ledger.engine import Ledger, LedgerAwayError
from ledger.settle import Settled, settle

log = logging.getLogger(__name__)

#: Outcomes a transaction: on SQLite it holds the write lock under 20 ms.
PAGE = 256
#: How long a settle is tried while the ledger is away: an outcome that is given up turns unknown,
#: and an unknown e-mail is sent again.
_SETTLE_FOR = 600.0
#: Outcomes that wait, and seconds that the oldest has waited, from which nothing new is claimed: an
#: attempt that is open for a minute turns unknown, though its provider took it.
_MOST_WAITING = 1024
_LONGEST_WAIT = 3.0


class _Load(NamedTuple):
    rows: Sequence[Settled]
    since: float
    written: "asyncio.Future[None]"


class Landing:
    """Where the outcomes of one lane wait to be written; `urgent` waits for no other bulk work."""

    def __init__(self, *, urgent: bool) -> None:
        self._urgent = urgent
        self._waiting: deque[_Load] = deque()
        self._under_way: list[_Load] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that nothing more should be claimed."""
        loads = [*self._under_way, *self._waiting]
        if not loads:
            return False
        most = sum(len(load.rows) for load in loads) > _MOST_WAITING
        return most or monotonic() - loads[0].since > _LONGEST_WAIT

    async def write(self, ledger: Ledger, rows: Sequence[Settled]) -> None:
        """Return when the rows have been written, or given up."""
        load = _Load(rows, monotonic(), asyncio.get_running_loop().create_future())
        self._waiting.append(load)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(ledger))
        await load.written

    async def _write_all(self, ledger: Ledger) -> None:
        try:
            while self._waiting:
                self._take_page()
                await self._write([row for load in self._under_way for row in load.rows], ledger)
                for load in self._under_way:
                    if not load.written.done():
                        load.written.set_result(None)
                self._under_way.clear()
        finally:
            for load in (*self._under_way, *self._waiting):  # we were ended with the loop
                load.written.cancel()

    def _take_page(self) -> None:
        size = 0
        while self._waiting and (not size or size + len(self._waiting[0].rows) <= PAGE):
            load = self._waiting.popleft()
            size += len(load.rows)
            self._under_way.append(load)

    async def _write(self, rows: Sequence[Settled], ledger: Ledger) -> None:
        """Write outcomes down, trying again while the ledger is away."""
        deadline = monotonic() + _SETTLE_FOR
        pages = [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)]
        while pages:
            try:
                async with ledger.bulk(urgent=self._urgent) as db:
                    late = await settle(db, pages[0])
            except LedgerAwayError as error:
                if monotonic() > deadline:
                    log.warning(
                        "outcomes not written; they turn unknown", extra={"why": str(error)}
                    )
                    return
                await asyncio.sleep(0.5)
            except Exception:
                # One outcome that the ledger cannot take must not cost the others theirs.
                log.exception("outcomes not written", extra={"count": len(pages[0])})
                page = pages.pop(0)
                pages[:0] = [[one] for one in page] if len(page) > 1 else []
            else:
                pages.pop(0)
                if late:
                    log.warning("outcomes came late", extra={"count": late})
