"""The job that sends: take, claim, send, settle, again and again for a second; then ring."""

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from channels import AnyChannel
from ledger import sweep
from ledger.claims import Due, claim, count_due
from workers.capping import hold_back
from workers.keeping import kept
from workers.queue import Turn
from workers.routing import Route, regrouped
from workers.runtime import JobContext, Runtime, Showing
from workers.taking import WIDEST, Taken, give_back, owe, take
from workers.uncut import uncut
from workers.window import Flight

log = logging.getLogger(__name__)

#: Seconds that a turn waits for its window to get its slots.
_LINGER = 0.5
#: Seconds until a turn looks again whether outcomes that wait have been written.
_CATCH_UP = 0.25
#: Seconds after which a turn gives way to others and rings itself.
_GIVE_WAY = 1.0
#: A sender this slow (units a second) is served by one turn at a time.
_SLOW = 4.0
#: Deliveries that are counted to know which share of them is ours.
_MOST_COUNTED = 4 * WIDEST
#: More is due than is worth a count.
_PLENTY = Due(rows=WIDEST, workers=1)
#: Units a second that one turn can open windows for.
_ONE_TURN = 100.0


async def turn(ctx: JobContext, alert_id: str, channel: str, k: int, nonce: str) -> None:
    """Send windows of an alert's channel for a while, then ring again if more is left."""
    run, lane = ctx["runtime"], ctx["lane"]
    mine = Turn(alert_id=alert_id, channel=channel, lane=lane, k=k, nonce=nonce)
    with run.overtaking(lane):
        if await run.queue.take_turn(mine):
            await _take_turn(run, mine)


async def _take_turn(run: Runtime, mine: Turn) -> None:
    until, windows = monotonic() + _GIVE_WAY, Windows(run, mine.alert_id, mine.channel)
    async with kept(run.queue, mine):
        wait = await windows.send_one()
        # The queue is left out while pace, slots and work are there: its round trip costs as much
        # as thirty sends. Whoever waits for our place among the jobs waits a second at most.
        while wait == 0 and monotonic() < until:
            wait = await windows.send_one()
    if wait is None:
        await run.queue.end_turn(mine)
    else:
        await run.queue.ring_again(mine, wait)


async def send_some(run: Runtime, alert_id: str, channel: str) -> float | None:
    """Send one window; return seconds until the next is worth asking for, None if none is left."""
    return await Windows(run, alert_id, channel).send_one()


class Windows:
    """The windows that one turn sends of an alert's channel, one after the other."""

    def __init__(self, run: Runtime, alert_id: str, channel: str) -> None:
        self._run, self._alert_id, self._channel = run, alert_id, channel
        #: What our claims opened last: the next one need not walk over it again.
        self._after = ""
        #: More may be due after the last claim: the next one is made without a count.
        self._has_more = False
        self._is_alone = False

    async def send_one(self) -> float | None:
        """Send one window; return seconds until the next is worth asking for, None at the end."""
        run, channel = self._run, self._channel
        showing = await run.showing(self._alert_id)
        if run.channel(showing.alert.mode, channel) is None:
            log.warning("channel is not configured", extra={"channel": channel})
            return None
        if run.landings[showing.alert.lane].is_behind:
            return _CATCH_UP
        due = await self._due(showing)
        if not due.rows:
            return None
        taken = await take(run, showing, channel, due)
        if taken.route is None:
            run.metrics.waited(channel, taken.wait)
            return taken.wait
        try:
            flights = await uncut(_take_off(run, showing, taken.route, taken.rows, self._after))
        finally:
            taken.forget()
        await _account(run, taken, flights)
        return await self._go_on(showing, flights, due.rows)

    async def _go_on(self, showing: Showing, flights: Sequence[Flight], due: int) -> float | None:
        """Wait until the next window is worth its claim."""
        opened = [claimed for flight in flights for claimed in flight.claimed]
        held = sum(flight.held for flight in flights)
        if held:
            self._run.metrics.held_back(self._channel, held)
        had_more, self._has_more = self._has_more, any(flight.more for flight in flights)
        if not opened:
            self._after = ""
            if had_more and not held:
                return 0  # nobody had counted
            return await _none_flew(self._run, showing, self._channel, held)
        # What was tried before and is behind us waits until a claim comes back short.
        fresh = [claimed.attempt.delivery_id for claimed in opened if claimed.attempt.no == 1]
        self._after = max(fresh, default=self._after) if self._has_more else ""
        await _until_aloft(flights)
        return 0 if due > len(opened) or due == WIDEST else None

    async def _due(self, showing: Showing) -> Due:
        """Count what is due, unless it is more than a claim takes, whatever is left to others."""
        is_fast = self._run.slots[showing.alert.lane].passing > WIDEST
        if self._has_more and (is_fast or self._is_alone):
            return _PLENTY
        async with self._run.ledger.read() as db:
            due = await count_due(db, self._alert_id, self._channel, _MOST_COUNTED)
        self._is_alone = due.workers <= 1
        return due


async def _until_aloft(flights: Sequence[Flight]) -> None:
    """Wait until half of what was claimed has its slot, for a while: then more may be claimed."""
    flown = [asyncio.ensure_future(flight.aloft.wait()) for flight in flights if flight.claimed]
    _, waiting = await asyncio.wait(flown, timeout=_LINGER)
    for one in waiting:
        one.cancel()


async def _take_off(
    run: Runtime, showing: Showing, route: Route, rows: int, after: str
) -> Sequence[Flight]:
    """Claim rows and set them flying; from here on they need nobody who waits for them.

    One flight goes from the route; others from those senders that people of it talk with.
    """
    since, incarnation = monotonic(), run.lease.incarnation
    channel = route.channel
    async with run.ledger.write() as db:
        window = await claim(
            db,
            alert_id=showing.alert.id,
            channel=channel.channel,
            sender=route.sender.name,
            provider=channel.provider,
            worker=incarnation,
            limit=rows,
            after=after,
            terms=run.caps.terms(showing.alert, channel.channel),
        )
        side = run.providers(showing.alert.mode)
        groups = await regrouped(db, run.health, side, route, window.claimed)
    return [
        Flight(
            run,
            showing,
            one,
            replace(window, claimed=claimed, held=window.held if one is route else 0),
            since=since,
            incarnation=incarnation,
        )
        for one, claimed in groups.values()
    ]


async def _account(run: Runtime, taken: Taken, flights: Sequence[Flight]) -> None:
    """Return the units that were not used, and charge other senders what they send."""
    used = {flight.route.key: sum(c.units for c in flight.claimed) for flight in flights}
    for flight in flights:
        if flight.route is not taken.route:
            await owe(run, flight.route, used[flight.route.key])
    own = used[taken.route.key] if taken.route else 0
    await give_back(run, taken, taken.units - own)


async def _none_flew(run: Runtime, showing: Showing, channel: str, held: int) -> float | None:
    """Look after what was due and could not be claimed; a cap may hold back much more of it."""
    if held:
        await hold_back(run, showing.alert, channel)
        return 0
    await _set_stragglers_aside(run, showing, channel)
    return None


async def _set_stragglers_aside(run: Runtime, showing: Showing, channel: str) -> None:
    """End what is due but cannot be claimed, since its address was suppressed meanwhile."""
    async with run.ledger.bulk() as db:
        moved = await sweep.suppress_stragglers(db, showing.alert.id, channel, WIDEST)
    if moved:
        log.info("suppressed", extra={"alert": showing.alert.id, "count": moved})


def width_for(some: Sequence[AnyChannel], workers: int) -> int:
    """Return how many turns of one channel of one alert may run at once, by who carries it."""
    paces = [sender.pace.units_per_second for one in some for sender in one.senders]
    rate = sum(paces)
    if rate < _SLOW:
        return 1
    # One turn opens a window a quarter of a second; more of them would only wait for the pace. Of
    # slow senders each needs one, since a window goes out from one sender. A second one in a worker
    # would halve the windows of the first.
    enough = max(math.ceil(rate / _ONE_TURN), min(len(paces), math.ceil(rate / _SLOW)))
    return max(1, min(workers, enough))
