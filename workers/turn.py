"""The job that sends: take, claim, send, settle, ring again."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from channels import AnyChannel
from kentongan.channel import Pace
from ledger import health, leases, sweep
from ledger.claims import claim, count_due
from workers.pace import Grant
from workers.queue import QUEUE_AWAY, RUNNING_LIFE, Turn
from workers.runtime import JobContext, Runtime, Showing
from workers.uncut import uncut
from workers.window import Flight

log = logging.getLogger(__name__)

#: The most deliveries one claim opens (design, section 6).
WIDEST = 256
#: A claim reaches no further ahead than what goes on the wire within this many seconds.
_AHEAD = 0.25
#: Seconds until a turn looks again that found no slot, or a provider that was stopped.
_BUSY = 0.05
_STOPPED = 2.0
#: Seconds until a turn looks again whose worker may begin nothing; a new lease comes within three.
_NO_LEASE = 0.5
#: Seconds that a turn waits for its window; what takes longer goes on beside the next one.
_LINGER = 0.25
#: A sender this slow (units a second) is served by one turn at a time.
_SLOW = 4.0
#: Units a second that one turn can open windows for.
_ONE_TURN = 100.0


async def turn(ctx: JobContext, alert_id: str, channel: str, k: int, nonce: str) -> None:
    """Send one window of an alert's channel, then ring again if more is left."""
    run, lane = ctx["runtime"], ctx["lane"]
    mine = Turn(alert_id=alert_id, channel=channel, lane=lane, k=k, nonce=nonce)
    if not await run.queue.take_turn(mine):
        return
    async with _kept(run, mine):
        wait = await send_some(run, alert_id, channel)
    if wait is None:
        await run.queue.end_turn(mine)
    else:
        await run.queue.ring_again(mine, wait)


@asynccontextmanager
async def _kept(run: Runtime, mine: Turn) -> AsyncIterator[None]:
    """Renew the turn's key while it runs, so that nobody starts a second one beside it."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RUNNING_LIFE / 4000)
            try:
                await run.queue.take_turn(mine)
            except QUEUE_AWAY as error:
                log.warning("turn not renewed", extra={"why": type(error).__name__})

    keeper = asyncio.create_task(renew())
    try:
        yield
    finally:
        keeper.cancel()


async def send_some(run: Runtime, alert_id: str, channel_name: str) -> float | None:
    """Send one window; return seconds until the next is worth asking for, None if none is left."""
    showing = await run.showing(alert_id)
    channel = run.channel(showing.alert.mode, channel_name)
    if channel is None:
        log.warning("channel is not configured", extra={"channel": channel_name})
        return None
    async with run.ledger.read() as db:
        due = await count_due(db, alert_id, channel_name, WIDEST)
        stopped = await health.is_stopped(db, channel_name, channel.sender)
    if not due:
        return None
    if stopped:
        return _STOPPED
    grant, rows = await _take(run, showing, channel, due)
    if rows < 1:
        await _give_back(run, channel, grant.units)
        run.metrics.waited(channel_name, grant.wait)
        return grant.wait
    flight = await uncut(_take_off(run, showing, channel, rows))
    await _give_back(run, channel, grant.units - sum(c.units for c in flight.claimed))
    if flight.landing is None:
        await _set_stragglers_aside(run, showing, channel)
        return None
    await asyncio.wait({flight.landing}, timeout=_LINGER)
    return 0 if due > len(flight.claimed) or due == WIDEST else None


async def _take(run: Runtime, showing: Showing, channel: AnyChannel, due: int) -> tuple[Grant, int]:
    """Take pace for as many rows as are due, fit the slots, and go on the wire soon."""
    if not run.lease.holds:
        return Grant(0, _NO_LEASE), 0  # what we claimed now, the gate would only hand back
    lane = showing.alert.lane
    cost = showing.cost(channel)
    pace = channel.pace
    soon = max(1, math.floor(pace.units_per_second * _AHEAD / cost))
    wanted = min(due, run.slots[lane].soon_free(), soon, WIDEST)
    if wanted < 1:
        return Grant(0, _BUSY), 0
    sender, units = pace_key(channel), wanted * cost
    try:
        grant = await run.paces.take(sender, pace, units, lane, least=cost)
    except QUEUE_AWAY:
        async with run.ledger.read() as db:
            workers = await leases.living(db)
        grant = run.local_pace.take(
            sender, pace, units, workers=workers, now=monotonic(), least=cost
        )
    return grant, grant.units // cost


def pace_key(channel: AnyChannel) -> str:
    """Return whose pace it is: two channels never share one, and practice never takes the real."""
    return f"{channel.name}:{channel.sender}"


async def _give_back(run: Runtime, channel: AnyChannel, units: int) -> None:
    if units <= 0:
        return
    try:
        await run.paces.give_back(pace_key(channel), channel.pace, units)
    except QUEUE_AWAY:
        log.info("unused pace is lost", extra={"channel": channel.name, "units": units})


async def _take_off(run: Runtime, showing: Showing, channel: AnyChannel, rows: int) -> Flight:
    """Claim rows and set them flying; from here on they need nobody who waits for them."""
    since, incarnation = monotonic(), run.lease.incarnation
    async with run.ledger.write() as db:
        window = await claim(
            db,
            alert_id=showing.alert.id,
            channel=channel.name,
            sender=channel.sender,
            worker=incarnation,
            limit=rows,
        )
    return Flight(run, showing, channel, window, since=since, incarnation=incarnation)


async def _set_stragglers_aside(run: Runtime, showing: Showing, channel: AnyChannel) -> None:
    """End what is due but cannot be claimed, since its address was suppressed meanwhile."""
    async with run.ledger.bulk() as db:
        moved = await sweep.suppress_stragglers(db, showing.alert.id, channel.name, WIDEST)
    if moved:
        log.info("suppressed", extra={"alert": showing.alert.id, "count": moved})


def width_for(pace: Pace, workers: int) -> int:
    """Return how many turns of one channel of one alert may run at once."""
    if pace.units_per_second < _SLOW:
        return 1
    # One turn opens a window a quarter of a second; more of them would only wait for the pace.
    return max(1, min(2 * workers, math.ceil(pace.units_per_second / _ONE_TURN)))
