"""The job that sends: take, claim, send, settle, again and again for a second; then ring."""

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from channels import AnyChannel
from ledger import sweep
from ledger.claims import claim, count_due
from workers.capping import hold_back
from workers.keeping import kept
from workers.queue import Turn
from workers.routing import Route, regrouped
from workers.runtime import JobContext, Runtime, Showing
from workers.taking import WIDEST, Taken, give_back, owe, take
from workers.uncut import uncut
from workers.window import Flight

log = logging.getLogger(__name__)

#: Seconds that a turn waits for its window; what takes longer goes on beside the next one.
_LINGER = 0.25
#: Seconds after which a turn gives way to others and rings itself.
_GIVE_WAY = 1.0
#: A sender this slow (units a second) is served by one turn at a time.
_SLOW = 4.0
#: Units a second that one turn can open windows for.
_ONE_TURN = 100.0


async def turn(ctx: JobContext, alert_id: str, channel: str, k: int, nonce: str) -> None:
    """Send windows of an alert's channel for a while, then ring again if more is left."""
    run, lane = ctx["runtime"], ctx["lane"]
    mine = Turn(alert_id=alert_id, channel=channel, lane=lane, k=k, nonce=nonce)
    if not await run.queue.take_turn(mine):
        return
    until = monotonic() + _GIVE_WAY
    async with kept(run.queue, mine):
        wait = await send_some(run, alert_id, channel)
        # The queue is left out while pace, slots and work are there: its round trip costs as much
        # as thirty sends. Whoever waits for our place among the jobs waits a second at most.
        while wait == 0 and monotonic() < until:
            wait = await send_some(run, alert_id, channel)
    if wait is None:
        await run.queue.end_turn(mine)
    else:
        await run.queue.ring_again(mine, wait)


async def send_some(run: Runtime, alert_id: str, channel_name: str) -> float | None:
    """Send one window; return seconds until the next is worth asking for, None if none is left."""
    showing = await run.showing(alert_id)
    if run.channel(showing.alert.mode, channel_name) is None:
        log.warning("channel is not configured", extra={"channel": channel_name})
        return None
    async with run.ledger.read() as db:
        due = await count_due(db, alert_id, channel_name, WIDEST)
    if not due:
        return None
    taken = await take(run, showing, channel_name, due)
    if taken.route is None:
        run.metrics.waited(channel_name, taken.wait)
        return taken.wait
    flights = await uncut(_take_off(run, showing, taken.route, taken.rows))
    await _account(run, taken, flights)
    landings = {flight.landing for flight in flights if flight.landing is not None}
    if held := sum(flight.held for flight in flights):
        run.metrics.held_back(channel_name, held)
    if not landings:
        return await _none_flew(run, showing, channel_name, held)
    await asyncio.wait(landings, timeout=_LINGER)
    claimed = sum(len(flight.claimed) for flight in flights)
    return 0 if due > claimed or due == WIDEST else None


async def _take_off(run: Runtime, showing: Showing, route: Route, rows: int) -> Sequence[Flight]:
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
    # slow senders each needs one, since a window goes out from one sender.
    enough = max(math.ceil(rate / _ONE_TURN), min(len(paces), math.ceil(rate / _SLOW)))
    return max(1, min(2 * workers, enough))
