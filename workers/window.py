"""One window: the deliveries opened by one claim, sent at once, settled in bulk."""

import asyncio
import logging
import math
from random import random
from time import monotonic

from kentongan.alert import Lane
from kentongan.caps import is_capped
from kentongan.message import Envelope
from kentongan.outcome import (
    Accepted,
    CutUnsentError,
    Deferred,
    NotBegun,
    NotBegunError,
    Outcome,
    Reason,
    Unknown,
)
from kentongan.response_link import response_url
from ledger.claims import Claimed, Window
from workers.aftermath import look_after
from workers.capping import uncount_unsent
from workers.gate import Pass
from workers.landing import PAGE
from workers.outcomes import settled_of
from workers.ringing import ring_when_due
from workers.routing import Route
from workers.runtime import Runtime, Showing
from workers.uncut import uncut

log = logging.getLogger(__name__)

#: A row whose turn has not come this many seconds after its claim is handed back.
LONGEST_WAIT = 2.0
#: Seconds that an outcome waits at most for others to be written with.
_SETTLE_EVERY = {Lane.FLASH: 0.1, Lane.ROUTINE: 0.25}
#: All windows of a worker settle at the same instants, those of other workers at others.
_PHASE = random()  # noqa: S311 - spreads load


class _Send:
    """One attempt on its way, and how far it has come. Its slot runs it (`workers.slots`)."""

    __slots__ = ("_flight", "_transport", "began", "claimed", "outcome", "took")

    def __init__(self, flight: "Flight", claimed: Claimed) -> None:
        self._flight, self.claimed = flight, claimed
        self.began = False
        self.outcome: Outcome | None = None
        self.took: float | None = None  # seconds in its slot
        self._transport: asyncio.BaseTransport | None = None

    async def go(self) -> None:
        """Try once."""
        flight, slotted = self._flight, monotonic()
        flight.slotted()
        if slotted - flight.claimed_at > LONGEST_WAIT:
            self.outcome = NotBegun(Reason.HANDED_BACK)
            return
        try:
            self.outcome = await self._try()
        except CutUnsentError:
            self.outcome = NotBegun(Reason.HANDED_BACK)
            raise
        finally:
            flight.run.lease.release(self._transport)
        self.took = monotonic() - slotted

    def ended(self) -> None:
        self._flight.came_down(self)

    async def gate(self, transport: asyncio.BaseTransport | None = None) -> None:
        """Let the first byte go, or raise `NotBegunError`."""
        flight, claimed = self._flight, self.claimed
        await flight.run.gatekeeper.enter(flight.gate_pass, claimed.address)
        self.began = True
        lease = flight.run.lease
        lease.release(self._transport)  # asked again, perhaps over another connection
        self._transport = transport
        lease.hold(transport)

    async def _try(self) -> Outcome:
        """Send; make a bug in a channel an outcome like any other."""
        flight, claimed = self._flight, self.claimed
        try:
            message = flight.message(claimed.locale)
            return await flight.channel.send(message, flight.envelope(claimed), self.gate)
        except NotBegunError as barred:
            return NotBegun(barred.reason)
        except Exception as bug:
            log.exception(
                "channel raised",
                extra={"channel": flight.channel_name, "delivery": claimed.attempt.delivery_id},
            )
            kind = type(bug).__name__
            return Unknown(Reason.BUG, kind) if self.began else Deferred(Reason.BUG, kind)


class Flight:
    """The sends of one window, settled as they end: one that hangs holds up no other's outcome.

    It flies by itself from the start: whoever made it may be cancelled. `landing` is the task that
    ends when all has ended, None where nothing was claimed; `aloft` is set once half of the sends
    had their slots, when the next window may be claimed; `held` says how many deliveries a cap held
    back, `more` whether others may have been due. `since` is a monotonic instant before the claim,
    from which the alert's life is counted; `incarnation` is the one that claimed, which may have
    lapsed since.
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
        self.run, self.showing, self.route = run, showing, route
        self.channel, self.channel_name = route.channel, route.channel.channel
        self.dies_at = since + window.remaining
        self.gate_pass = Pass(showing.alert.id, self.channel_name, incarnation, self.dies_at)
        self.claimed, self.held, self.more = window.claimed, window.held, window.more
        self.claimed_at = monotonic()
        self.aloft = asyncio.Event()
        self._capped = is_capped(showing.alert)
        self._lane, self._sender = showing.alert.lane, route.sender.name
        self._messages: dict[str, object] = {}
        self._sends = [_Send(self, claimed) for claimed in window.claimed]
        self._unslotted = self._unended = len(self._sends)
        self._down: list[_Send] = []
        self._woken: asyncio.Future[None] | None = None
        self.landing = run.fly(self._fly()) if self._sends else None
        slots = run.slots[showing.alert.lane]
        slots.put(run.line(route.channel, showing.alert.lane), self._sends)

    def message(self, locale: str) -> object:
        """Return the prepared message in a locale."""
        found = self._messages.get(locale)
        if found is None:
            found = self._messages[locale] = self.showing.message(self.channel, locale)
        return found

    def envelope(self, claimed: Claimed) -> Envelope:
        """Return what is a person's own of their message."""
        return Envelope(
            attempt=claimed.attempt,
            address=claimed.address,
            name=claimed.name,
            lane=self._lane,
            remaining=self.dies_at - monotonic(),
            capped=self._capped,
            response_url=response_url(self.run.deployment, claimed.attempt.delivery_id),
            sender=self._sender,
        )

    def slotted(self) -> None:
        """Hear that one of the sends has its slot."""
        self._unslotted -= 1
        # Not at the last: slots would stand empty, and their tasks end, while the next is claimed.
        if self._unslotted <= len(self._sends) // 2:
            self.aloft.set()

    def came_down(self, send: _Send) -> None:
        """Hear that one of the sends has ended."""
        self._down.append(send)
        self._unended -= 1
        if self._is_enough:
            self._wake()

    async def _fly(self) -> None:
        """Settle what ends, until all has ended.

        Whatever ends it early, what was not begun is handed back and the rest is marked unknown.
        """
        try:
            while self._unended or self._down:
                await self._some_down()
                await uncut(self._land())
        except BaseException:
            await uncut(self._end())
            raise

    async def _some_down(self) -> None:
        """Wait until a page of them has ended, or outcomes have waited long enough."""
        if not self._is_enough:
            await self._woken_up()

    @property
    def _is_enough(self) -> bool:
        """Whether what is down may be settled: it is a page, or no other window will bring more."""
        at_rest = not self._unended and self.run.slots[self.showing.alert.lane].is_at_rest
        return at_rest or len(self._down) >= PAGE

    async def _woken_up(self) -> None:
        loop = asyncio.get_running_loop()
        self._woken = loop.create_future()
        every = _SETTLE_EVERY[self.showing.alert.lane]
        tick = math.floor(loop.time() / every - _PHASE) + 1
        timer = loop.call_at((tick + _PHASE) * every, self._wake)
        try:
            await self._woken
        finally:
            timer.cancel()

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def _end(self) -> None:
        """Cut short what is aloft: hand back what was not begun, mark the rest unknown."""
        self.run.slots[self.showing.alert.lane].cut(self._sends)
        while self._unended:
            await self._woken_up()
        await self._land()

    async def _land(self) -> None:
        """Settle what has ended, and draw its conclusions."""
        landed, self._down = self._down, []
        if not landed:
            return
        run, alert, channel = self.run, self.showing.alert, self.channel
        run.metrics.attempted(channel, [(s.outcome, s.took) for s in landed])
        results = [(send.claimed, send.outcome or _cut_short(send)) for send in landed]
        has_others = len(run.providers(alert.mode).of(self.channel_name)) > 1
        written = [
            settled_of(alert, channel, claimed, outcome, has_others=has_others)
            for claimed, outcome in results
        ]
        await run.landings[alert.lane].write(run.ledger, written)
        handed = sum(isinstance(outcome, Accepted) for _, outcome in results)
        run.metrics.handed_over(alert, channel, handed)
        await uncount_unsent(run, alert, self.channel_name, results)
        await look_after(run, alert, channel, results, self.route.sender.name)
        ring_when_due(run, alert, self.channel_name, written)


def _cut_short(send: _Send) -> Outcome:
    return Unknown(Reason.NO_REPLY) if send.began else NotBegun(Reason.HANDED_BACK)
