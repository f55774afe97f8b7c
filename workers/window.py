"""One window: the deliveries opened by one claim, sent at once, settled in bulk."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from kentongan.alert import Lane
from kentongan.caps import is_capped
from kentongan.channel import Gate
from kentongan.message import Envelope
from kentongan.outcome import (
    Accepted,
    Deferred,
    NotBegun,
    NotBegunError,
    Outcome,
    Reason,
    Unknown,
)
from kentongan.response_link import response_url
from ledger.claims import Claimed, Window
from ledger.engine import LedgerAwayError
from ledger.settle import Settled, settle
from workers.aftermath import look_after
from workers.capping import uncount_unsent
from workers.gate import Pass
from workers.outcomes import settled_of
from workers.ringing import ring_when_due
from workers.routing import Route
from workers.runtime import Runtime, Showing
from workers.uncut import uncut

log = logging.getLogger(__name__)

#: A row whose turn has not come this many seconds after its claim is handed back.
LONGEST_WAIT = 2.0
#: Seconds that an outcome waits for others to be written with.
_SETTLE_EVERY = 0.1
#: Outcomes a transaction: on SQLite it holds the write lock under 20 ms.
_PAGE = 256
#: How long a settle is tried while the ledger is away: an outcome that is given up turns unknown,
#: and an unknown e-mail is sent again. What waits is bounded by the slots, so waiting costs little.
_SETTLE_FOR = 600.0


@dataclass(slots=True)
class _Send:
    """One attempt on its way, and how far it has come."""

    claimed: Claimed
    began: bool = False
    outcome: Outcome | None = None
    transport: asyncio.BaseTransport | None = None


class _Sending:
    """What the sends of one window share."""

    def __init__(
        self,
        run: Runtime,
        showing: Showing,
        route: Route,
        *,
        dies_at: float,
        incarnation: str,
    ) -> None:
        self._run, self._showing, self._channel = run, showing, route.channel
        self._sender = route.sender.name
        self._dies_at, self._incarnation = dies_at, incarnation
        self._claimed_at = monotonic()
        self._capped = is_capped(showing.alert)

    async def one(self, send: _Send) -> None:
        """Try one attempt once, and keep what came of it in `send`."""
        async with self._run.slots[self._showing.alert.lane]:
            if monotonic() - self._claimed_at > LONGEST_WAIT:
                send.outcome = NotBegun(Reason.HANDED_BACK)
                return
            began = monotonic()
            try:
                send.outcome = await self._try(send)
            finally:
                self._run.lease.release(send.transport)
            took = monotonic() - began
            self._run.metrics.attempted(self._channel, send.outcome, took)

    async def _try(self, send: _Send) -> Outcome:
        """Send; make a bug in a channel an outcome like any other."""
        channel = self._channel
        try:
            message = self._showing.message(channel, send.claimed.locale)
            return await channel.send(message, self._envelope(send.claimed), self._gate(send))
        except NotBegunError as barred:
            return NotBegun(barred.reason)
        except Exception as bug:
            log.exception(
                "channel raised",
                extra={"channel": channel.channel, "delivery": send.claimed.attempt.delivery_id},
            )
            kind = type(bug).__name__
            return Unknown(Reason.BUG, kind) if send.began else Deferred(Reason.BUG, kind)

    def _gate(self, send: _Send) -> Gate:
        wanted = Pass(
            attempt=send.claimed.attempt,
            alert_id=self._showing.alert.id,
            channel=self._channel.channel,
            address=send.claimed.address,
            incarnation=self._incarnation,
            dies_at=self._dies_at,
        )

        async def gate(transport: asyncio.BaseTransport | None = None) -> None:
            await self._run.gatekeeper.enter(wanted)
            send.began = True
            send.transport = transport
            self._run.lease.hold(transport)

        return gate

    def _envelope(self, claimed: Claimed) -> Envelope:
        return Envelope(
            attempt=claimed.attempt,
            address=claimed.address,
            name=claimed.name,
            lane=self._showing.alert.lane,
            remaining=self._dies_at - monotonic(),
            capped=self._capped,
            response_url=response_url(self._run.deployment, claimed.attempt.delivery_id),
            sender=self._sender,
        )


class Flight:
    """The sends of one window, settled as they end: one that hangs holds up no other's outcome.

    It flies by itself from the start: whoever made it may be cancelled. `landing` is the task that
    ends when all has ended, None where nothing was claimed; `held` says how many deliveries a cap
    held back. `since` is a monotonic instant before the claim, from which the alert's life is
    counted; `incarnation` is the one that claimed, which may have lapsed since.
    """

    def __init__(
        self,
        run: Runtime,
        showing: Showing,
        route: Route,
        window: Window,
        *,
        since: float,
        incarnation: str,
    ) -> None:
        self._run, self._showing, self.route = run, showing, route
        sending = _Sending(
            run, showing, route, dies_at=since + window.remaining, incarnation=incarnation
        )
        self.claimed, self.held = window.claimed, window.held
        self._aloft = {asyncio.create_task(sending.one(s)): s for s in map(_Send, window.claimed)}
        self.landing = run.fly(self._fly()) if self._aloft else None

    async def _fly(self) -> None:
        """Settle what ends, until all has ended.

        Whatever ends it early, what was not begun is handed back and the rest is marked unknown.
        """
        try:
            while self._aloft:
                done, _ = await asyncio.wait(self._aloft, timeout=_SETTLE_EVERY)
                await uncut(self._land(done))
        except BaseException:
            await uncut(self._end())
            raise

    async def _end(self) -> None:
        """Cut short what is aloft: hand back what was not begun, mark the rest unknown."""
        aloft = set(self._aloft)
        for task in aloft:
            task.cancel()
        await asyncio.gather(*aloft, return_exceptions=True)
        await self._land(aloft)

    async def _land(self, done: set[asyncio.Task[None]]) -> None:
        """Settle what has ended, and draw its conclusions."""
        landed = [self._aloft.pop(task) for task in done]
        results = [(send.claimed, send.outcome or _cut_short(send)) for send in landed]
        if not results:
            return
        alert, channel = self._showing.alert, self.route.channel
        has_others = len(self._run.providers(alert.mode).of(channel.channel)) > 1
        written = [
            settled_of(alert, channel, claimed, outcome, has_others=has_others)
            for claimed, outcome in results
        ]
        await _settle(self._run, written, alert.lane)
        for _, outcome in results:
            if isinstance(outcome, Accepted):
                self._run.metrics.handed_over(alert, channel)
        await uncount_unsent(self._run, alert, channel.channel, results)
        await look_after(self._run, alert, channel, results, self.route.sender.name)
        ring_when_due(self._run, alert, channel.channel, written)


def _cut_short(send: _Send) -> Outcome:
    return Unknown(Reason.NO_REPLY) if send.began else NotBegun(Reason.HANDED_BACK)


async def _settle(run: Runtime, written: Sequence[Settled], lane: Lane) -> None:
    """Write outcomes down, trying again while the ledger is away."""
    deadline = monotonic() + _SETTLE_FOR
    pages = [written[start : start + _PAGE] for start in range(0, len(written), _PAGE)]
    while pages:
        try:
            async with run.ledger.bulk(urgent=lane is Lane.FLASH) as db:
                late = await settle(db, pages[0])
        except LedgerAwayError as error:
            if monotonic() > deadline:
                log.warning("outcomes not written; they turn unknown", extra={"why": str(error)})
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
