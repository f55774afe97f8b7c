"""The last look before the first byte: lease, life, stop and suppression.

Attempts that stand at the gate together share one read of the ledger, begun after they came: so
nothing decided before is missed, and a fan-out does not pay a query per message.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from kentongan.ids import AttemptRef
from kentongan.outcome import NotBegunError, Reason
from ledger import gate
from ledger.claims import LEAST_LIFE
from ledger.engine import Ledger, LedgerAwayError
from workers.lease import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Who wants through: an attempt of `incarnation`, of an alert that dies at `dies_at`."""

    attempt: AttemptRef
    alert_id: str
    channel: str
    address: str
    incarnation: str
    dies_at: float  # monotonic seconds


@dataclass(slots=True)
class _Asking:
    """Those who wait for one read."""

    passes: list[Pass] = field(default_factory=list)
    #: One for each: whoever goes away cancels no one else's.
    answers: "list[asyncio.Future[gate.Barred]]" = field(default_factory=list)

    def join(self, wanted: Pass) -> "asyncio.Future[gate.Barred]":
        """Have `wanted` asked about too."""
        answer: asyncio.Future[gate.Barred] = asyncio.get_running_loop().create_future()
        self.passes.append(wanted)
        self.answers.append(answer)
        return answer

    def learn(self, looking: "asyncio.Task[gate.Barred]") -> None:
        """Tell those who wait what was seen, or why nothing was: none of them may wait for ever."""
        error = looking.exception()
        # Without the ledger nobody knows whether it may go out; handed back, it goes later.
        away = isinstance(error, LedgerAwayError)
        for answer in self.answers:
            if answer.done():  # cancelled: they went away
                continue
            if error is None:
                answer.set_result(looking.result())
            else:
                answer.set_exception(NotBegunError(Reason.HANDED_BACK) if away else error)


class Gatekeeper:
    """Answers all gates of this worker."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self._ledger, self._lease = ledger, lease
        self._next: _Asking | None = None
        self._reading: asyncio.Task[None] | None = None

    async def enter(self, wanted: Pass) -> None:
        """Return if the attempt may begin now; raise `NotBegunError` with the reason if not."""
        self._check_ours(wanted)
        barred = await self._ask(wanted)
        if wanted.alert_id in barred.stopped:
            raise NotBegunError(Reason.STOPPED)
        if wanted.alert_id in barred.paused:
            raise NotBegunError(Reason.PAUSED)
        if (wanted.channel, wanted.address) in barred.suppressed:
            raise NotBegunError(Reason.SUPPRESSED)
        self._check_ours(wanted)

    def _check_ours(self, wanted: Pass) -> None:
        self._lease.check(wanted.incarnation)
        if monotonic() > wanted.dies_at - LEAST_LIFE:
            raise NotBegunError(Reason.EXPIRED)

    async def _ask(self, wanted: Pass) -> gate.Barred:
        if self._next is None:
            self._next = _Asking()
        answer = self._next.join(wanted)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return await answer

    async def _read(self) -> None:
        """Read for all who came, again and again until nobody is left."""
        while self._next is not None:
            asking, self._next = self._next, None
            looking = asyncio.create_task(self._barred(asking.passes))
            await asyncio.wait([looking])
            asking.learn(looking)
        self._reading = None

    async def _barred(self, passes: Sequence[Pass]) -> gate.Barred:
        async with self._ledger.read() as db:
            return await gate.barred(
                db,
                sorted({p.alert_id for p in passes}),
                sorted({(p.channel, p.address) for p in passes}),
            )
