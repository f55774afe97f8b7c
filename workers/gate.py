"""The last look before the first byte: lease, life, stop and suppression.

On SQLite each attempt looks for itself, at once. On PostgreSQL those that stand at the gate
together share one read of the ledger, begun after they came: so nothing decided before is missed,
and a fan-out does not pay a query per message.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from kentongan.outcome import NotBegunError, Reason
from ledger import gate
from ledger.claims import LEAST_LIFE
from ledger.engine import Db, Ledger, LedgerAwayError
from workers.lease import Lease

#: A look that follows another waits so many seconds for others to join it if they are fewer than so
#: many: a look costs as much as a fifth of a send.
_FOR_COMPANY, _ENOUGH = 0.0005, 8


class Pass(NamedTuple):
    """What attempts of `incarnation` have in common, of an alert that dies at `dies_at`."""

    alert_id: str
    channel: str
    incarnation: str
    dies_at: float  # monotonic seconds


#: Whoever stands at the gate: a pass, and the address that it is shown for.
_Shown = tuple[Pass, str]


class _Asking:
    """Those who wait for one read."""

    def __init__(self) -> None:
        self.shown: list[_Shown] = []
        #: One for each: whoever goes away cancels no one else's.
        self._answers: list[asyncio.Future[gate.Barred]] = []

    def join(self, shown: _Shown) -> "asyncio.Future[gate.Barred]":
        """Have one more asked about."""
        answer: asyncio.Future[gate.Barred] = asyncio.get_running_loop().create_future()
        self.shown.append(shown)
        self._answers.append(answer)
        return answer

    def learn(self, barred: gate.Barred) -> None:
        """Tell those who wait what was seen."""
        for answer in self._answers:
            if not answer.done():  # cancelled: they went away
                answer.set_result(barred)

    @property
    def is_answered(self) -> bool:
        return all(answer.done() for answer in self._answers)

    def fail(self, error: BaseException) -> None:
        """Tell those who wait why nothing was seen: none of them may wait for ever."""
        # Without the ledger nobody knows whether it may go out; handed back, it goes later.
        is_late = isinstance(error, LedgerAwayError | asyncio.CancelledError)
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(NotBegunError(Reason.HANDED_BACK) if is_late else error)


class Gatekeeper:
    """Answers all gates of this worker."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self._ledger, self._lease = ledger, lease
        self._next: _Asking | None = None
        self._reading: asyncio.Task[None] | None = None

    async def enter(self, wanted: Pass, address: str) -> None:
        """Return if an attempt may begin now; raise `NotBegunError` with the reason if not."""
        barred = gate.glance(self._ledger, wanted.alert_id, wanted.channel, address)
        if barred is None:  # it has to be waited for, which a lost lease or a dead alert need not
            self._check_ours(wanted)
            barred = await self._ask((wanted, address))
        self._check_ours(wanted)
        if barred is not gate.NOBODY:
            _check_free(wanted, address, barred)

    def _check_ours(self, wanted: Pass) -> None:
        self._lease.check(wanted.incarnation)
        if monotonic() > wanted.dies_at - LEAST_LIFE:
            raise NotBegunError(Reason.EXPIRED)

    async def _ask(self, shown: _Shown) -> gate.Barred:
        if self._next is None:
            self._next = _Asking()
        answer = self._next.join(shown)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return await answer

    async def _read(self) -> None:
        """Read for all who came, again and again until nobody is left."""
        try:
            while self._next is not None:
                await self._read_on()
        finally:
            self._reading = None
            if self._next is not None:  # cancelled; whoever came meanwhile comes again later
                self._next.fail(asyncio.CancelledError())
                self._next = None

    async def _read_on(self) -> None:
        """Read over one connection while somebody comes: lending it costs half a look."""
        asking: _Asking | None = None
        try:
            async with self._ledger.read() as db:
                while self._next is not None:
                    if asking is not None and len(self._next.shown) < _ENOUGH:
                        await asyncio.sleep(_FOR_COMPANY)
                    asking, self._next = self._next, None
                    asking.learn(await _barred(db, asking.shown))
        except asyncio.CancelledError as error:
            if asking is not None:
                asking.fail(error)
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where each of them waits
            if asking is None or asking.is_answered:  # no connection
                asking, self._next = self._next, None
            if asking is not None:
                asking.fail(error)


async def _barred(db: Db, shown: Sequence[_Shown]) -> gate.Barred:
    ids = {wanted.alert_id for wanted, _ in shown}
    return await gate.barred(db, ids, {(wanted.channel, address) for wanted, address in shown})


def _check_free(wanted: Pass, address: str, barred: gate.Barred) -> None:
    if wanted.alert_id in barred.stopped:
        raise NotBegunError(Reason.STOPPED)
    if wanted.alert_id in barred.paused:
        raise NotBegunError(Reason.PAUSED)
    if (wanted.channel, address) in barred.suppressed:
        raise NotBegunError(Reason.SUPPRESSED)
