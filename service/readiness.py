"""Looks, at most once a second, whether we can commit and what does not work beside it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from kentongan.caps import Caps
from kentongan.spending import Level, Standing
from ledger import cap_usage, gauges, providers, senders
from ledger.engine import Ledger, LedgerAwayError
from service.troubles import sentences

#: Seconds for which one look is good: probes may come from many places.
LOOK_LIFE = 1.0
#: Seconds until a look gives up; probes usually wait no longer.
LOOK_TIMEOUT = 2.0

NO_COMMIT = "The ledger cannot commit."
NO_WORKER = "No worker is alive; accepted alerts wait."
NO_QUEUE = "Redis is away; alerts start within seconds, not at once."


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an alert could be committed now, and in sentences what else is wrong.

    `around` are those about anything but providers and senders.
    """

    ready: bool
    degraded: tuple[str, ...]
    around: tuple[str, ...] = ()


class Lookout:
    """Shares one look among all who ask within a second."""

    def __init__(
        self,
        ledger: Ledger,
        queue_is_away: Callable[[], Awaitable[bool]],
        caps: Caps | None = None,
    ) -> None:
        self._ledger, self._queue_is_away = ledger, queue_is_away
        self._caps = caps or Caps()
        self._lock = asyncio.Lock()
        self._last = Readiness(ready=False, degraded=())
        self._good_until = 0.0

    async def look(self) -> Readiness:
        """Return what was seen, not longer than a second ago."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                self._last = await self._look()
                self._good_until = time.monotonic() + LOOK_LIFE
            return self._last

    async def _look(self) -> Readiness:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                async with self._ledger.write() as db:
                    await gauges.prove_commit(db)
                async with self._ledger.read() as db:
                    troubles = await providers.standings(db), await senders.aside(db)
                    workers = await gauges.living_workers(db)
                    money = await cap_usage.standings(db, self._caps) if self._caps.most else ()
        except (LedgerAwayError, TimeoutError):
            return Readiness(ready=False, degraded=(NO_COMMIT,), around=(NO_COMMIT,))
        around = [*spend_sentences(money, self._caps)]
        if not workers:
            around.append(NO_WORKER)
        if await self._is_queue_away():
            around.append(NO_QUEUE)
        degraded = (*sentences(*troubles), *around)
        return Readiness(ready=True, degraded=degraded, around=tuple(around))

    async def _is_queue_away(self) -> bool:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                return await self._queue_is_away()
        except TimeoutError:
            return True


def spend_sentences(money: Sequence[Standing], caps: Caps) -> Iterator[str]:
    """Say which spend caps are reached, or nearly."""
    for one in money:
        match one.level(caps.prices):
            case Level.REACHED:
                yield f"The spend cap of this {one.period} is reached; all but extreme waits."
            case Level.NEARLY:
                yield f"{one.share:.0%} of this {one.period}'s spend cap is spent."
            case Level.FINE:
                pass
