"""A worker's right to send: a lease in the ledger, and a local deadline that is always earlier.

The local clock counts suspension, and is read before a renewal is asked for. A worker that was
frozen past its lease must finish nothing: the settler may have repeated what stands half-written in
its buffers. So every transport with an open attempt is aborted in the first callback after a jump
of the clock, before the loop writes anything (`workers.loop` calls `on_wake` there).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from kentongan.outcome import NotBegunError, Reason
from ledger import leases
from ledger.engine import Ledger, LedgerAwayError

log = logging.getLogger(__name__)

#: Nothing is begun in the last second of a lease.
_MARGIN = 1.0


#: Returns seconds that go on counting while the machine, or this process, is suspended.
boot_clock: Callable[[], float] = partial(
    time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
)


class Lease:
    """The present incarnation of this worker, and what it holds open."""

    def __init__(self, ledger: Ledger, place: str, clock: Callable[[], float] = boot_clock) -> None:
        self._ledger = ledger
        self._place = place
        self._clock = clock
        self._deadline = 0.0
        self.incarnation = ""
        #: How many attempts are open over each: letters follow each other before the relay answers.
        self._open: dict[asyncio.BaseTransport, int] = {}

    async def begin(self) -> None:
        """Take a first, or a new, incarnation. Raises `LedgerAwayError`."""
        asked_at = self._clock()
        async with self._ledger.write() as db:
            self.incarnation = await leases.begin(db, self._place)
        self._deadline = asked_at + leases.LEASE
        log.info("lease taken", extra={"worker": self.incarnation})

    @property
    def holds(self) -> bool:
        """Whether anything may be begun now."""
        return self._clock() < self._deadline - _MARGIN

    def check(self, incarnation: str) -> None:
        """Raise `NotBegunError` unless `incarnation` is ours and may begin something."""
        if incarnation != self.incarnation or self._clock() >= self._deadline - _MARGIN:
            raise NotBegunError(Reason.LEASE_LOST)

    def hold(self, transport: asyncio.BaseTransport | None) -> None:
        """Remember a transport over which an attempt is about to go."""
        if transport is not None:
            self._open[transport] = self._open.get(transport, 0) + 1

    def release(self, transport: asyncio.BaseTransport | None) -> None:
        """Forget it, unless other attempts go over it still."""
        if transport is None:
            return
        others = self._open.get(transport, 0) - 1
        if others > 0:
            self._open[transport] = others
        else:
            self._open.pop(transport, None)

    def on_wake(self) -> None:
        """Abort every open attempt's transport if the lease has lapsed. Called by the loop."""
        if self._open and self._clock() >= self._deadline:
            self._abort()

    def _abort(self) -> None:
        log.warning("lease lapsed", extra={"worker": self.incarnation, "aborted": len(self._open)})
        for transport in list(self._open):
            abort = getattr(transport, "abort", transport.close)
            abort()
        self._open.clear()

    async def keep(self) -> None:
        """Renew for ever; after a lapse, abort what is open and take a new incarnation."""
        while True:
            await asyncio.sleep(leases.RENEW_EVERY)
            try:
                await self._renew_once()
            except LedgerAwayError as error:
                # Nothing is begun once the deadline has passed; until then, try again.
                log.warning("lease not renewed", extra={"why": str(error)})
            except Exception:
                # A worker that gave up renewing would claim for ever and begin nothing.
                log.exception("lease not renewed")

    async def _renew_once(self) -> None:
        asked_at = self._clock()
        async with self._ledger.write() as db:
            renewed = await leases.renew(db, self.incarnation)
        if renewed:
            self._deadline = asked_at + leases.LEASE
            return
        self._abort()
        await self.begin()

    async def end(self) -> None:
        """Give the lease back, so that what was left open is looked after at once."""
        self._deadline = 0.0
        async with self._ledger.write() as db:
            await leases.end(db, self.incarnation)
