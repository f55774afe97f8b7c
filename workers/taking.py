"""Taking what a window needs before it is claimed: a sender, units of its pace, and of its day."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from ledger import leases, senders
from ledger.claims import Due
from workers.health import who_is
from workers.pace import Grant
from workers.queue import QUEUE_AWAY
from workers.routing import Route, routes
from workers.runtime import Runtime, Showing

log = logging.getLogger(__name__)

#: The most deliveries one claim opens (design, section 6).
WIDEST = 256
#: A claim reaches no further ahead than what goes on the wire within this many seconds.
_AHEAD = 0.25
#: Seconds until a turn looks again that found no slot, or only providers that are set aside.
_BUSY = 0.05
_STOPPED = 2.0
#: Seconds until a turn looks again whose worker may begin nothing; a new lease comes within three.
_NO_LEASE = 0.5
#: Seconds until a sender is looked at again whose day is used up.
_NEXT_DAY = 60.0


def _nothing() -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Units of one sender for so many rows; or nothing, and seconds until it is worth asking."""

    route: Route | None = None
    rows: int = 0
    units: int = 0
    wait: float = 0.0
    #: To be called once what was claimed waits for its slots, or nothing was.
    forget: Callable[[], None] = _nothing


async def take(run: Runtime, showing: Showing, channel: str, due: Due) -> Taken:
    """Take pace for as many rows as are due, fit the slots, and go on the wire soon.

    Beyond what has a slot at once it is this worker's share of them: else the last rows of an alert
    would stand in line here while others are idle.
    The first sender with pace left gets the window. What is not used goes back (`give_back`).
    """
    if not run.lease.holds:
        return Taken(wait=_NO_LEASE)  # what we claimed now, the gate would only hand back
    slots = run.slots[showing.alert.lane]
    if slots.is_busy:
        return Taken(wait=_BUSY)
    ways = await routes(run.ledger, run.health, run.providers(showing.alert.mode), channel)
    waits = [_STOPPED]
    for route in ways:
        line = run.line(route.channel, showing.alert.lane)
        mine = max(due.share, slots.idle(line))
        wanted = min(due.rows, mine, slots.room(line), WIDEST)
        if wanted < 1:
            waits.append(_BUSY)
            continue
        forget = slots.promise(line, wanted)
        try:
            taken = await _take_from(run, showing, route, wanted)
        except BaseException:
            forget()
            raise
        if taken.rows:
            return replace(taken, forget=forget)
        forget()
        waits.append(taken.wait)
    return Taken(wait=min(waits))


async def _take_from(run: Runtime, showing: Showing, route: Route, wanted: int) -> Taken:
    cost = showing.cost(route.channel)
    soon = max(1, math.floor(route.sender.pace.units_per_second * _AHEAD / cost))
    rows = 1 if route.is_trial else min(wanted, soon)
    grant = await _pace(run, showing, route, rows * cost, cost)
    if grant.units < cost:
        await give_back(run, Taken(route=route, units=grant.units), grant.units, of_day=False)
        return _dry(run, route, grant.wait)
    if route.sender.a_day is None:
        return Taken(route=route, rows=grant.units // cost, units=grant.units)
    async with run.ledger.write() as db:
        of_day = await senders.take_of_day(db, _from(route), grant.units, route.sender.a_day)
    await give_back(run, Taken(route=route), grant.units - of_day, of_day=False)
    if of_day < cost:
        await give_back(run, Taken(route=route), of_day)
        return _dry(run, route, _NEXT_DAY)
    return Taken(route=route, rows=of_day // cost, units=of_day)


def _dry(run: Runtime, route: Route, wait: float) -> Taken:
    run.health.dry_until[route.key] = monotonic() + wait
    return Taken(wait=min(wait, _STOPPED))


async def _pace(run: Runtime, showing: Showing, route: Route, units: int, least: int) -> Grant:
    pace, lane = route.sender.pace, showing.alert.lane
    try:
        return await run.paces.take(route.key, pace, units, lane, least=least)
    except QUEUE_AWAY:
        async with run.ledger.read() as db:
            workers = await leases.living(db)
        return run.local_pace.take(
            route.key, pace, units, workers=workers, now=monotonic(), least=least
        )


async def give_back(run: Runtime, taken: Taken, units: int, *, of_day: bool = True) -> None:
    """Return units of a sender's pace, and of its day, that were not used."""
    route = taken.route
    if units <= 0 or route is None:
        return
    if of_day and route.sender.a_day is not None:
        async with run.ledger.write() as db:
            await senders.give_back_of_day(db, _from(route), units)
    try:
        await run.paces.give_back(route.key, route.sender.pace, units)
    except QUEUE_AWAY:
        log.info("unused pace is lost", extra={"sender": route.channel.channel, "units": units})


async def owe(run: Runtime, route: Route, units: int) -> None:
    """Count units that a sender sends whatever its pace has left; it is paid back."""
    try:
        await run.paces.owe(route.key, route.sender.pace, units)
    except QUEUE_AWAY:
        log.info("pace not counted", extra={"sender": route.channel.channel, "units": units})


def _from(route: Route) -> senders.From:
    return (*who_is(route.channel), route.sender.name)
