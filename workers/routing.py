"""Who sends a window: a provider by its share of the traffic, then one of its senders."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from time import monotonic

from channels import AnyChannel, Providers
from kentongan.channel import Sender
from kentongan.circuit import Circuit
from ledger import providers as book
from ledger import senders
from ledger.claims import Claimed
from ledger.engine import Db, Ledger
from workers.health import Health, who_is

#: Seconds between two questions whether it is time for a trial.
_ASK_EVERY = 1.0
#: Spreads load; nobody gains by guessing it.
_DICE = Random()  # noqa: S311


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A provider and the sender of it that a window goes out from. A trial carries one message."""

    channel: AnyChannel
    sender: Sender
    is_trial: bool = False

    @property
    def key(self) -> str:
        """Whose pace it is: no two senders share one, and practice never takes the real."""
        parts = (self.channel.channel, self.channel.provider, self.sender.name)
        return ":".join(part for part in parts if part)


async def routes(ledger: Ledger, health: Health, side: Providers, name: str) -> Sequence[Route]:
    """Return the ways that a window of a channel may go, the one to be tried first at the front.

    The provider is drawn by its share. Others follow, for when its senders have no pace left; not
    those from which traffic is being moved away. Empty: all are set aside, or it is not configured.
    """
    some = side.of(name)
    first = [await _trial(ledger, health, one) for one in some]
    well = [one for one in some if health.circuit(one) is Circuit.CLOSED]
    resting = side.shares(name)
    shares = health.shares(some, resting)
    drawn = _drawn(well, [shares.get(one.provider, 0) for one in well])
    others = [
        one
        for one in well
        if one is not drawn and shares.get(one.provider, 0) >= resting.get(one.provider, 0)
    ]
    _DICE.shuffle(others)
    found = [route for route in first if route is not None]
    for one in [*([drawn] if drawn else []), *others]:
        found += _senders_of(health, one)
    return found


async def regrouped(
    db: Db, health: Health, side: Providers, route: Route, claimed: Sequence[Claimed]
) -> dict[str, tuple[Route, list[Claimed]]]:
    """Give those who talk with another of our senders to that one, if it is well.

    Returns who sends what, by the route's key. To be called in the transaction of the claim.
    """
    channel, groups = route.channel.channel, {route.key: (route, list[Claimed]())}
    others = {} if route.is_trial or channel not in health.talks else _ways(health, side, channel)
    others.pop((route.channel.provider, route.sender.name), None)
    talks = await senders.talks_to(db, channel, [c.address for c in claimed]) if others else {}
    if not talks:
        return {route.key: (route, list(claimed))}
    for one in claimed:
        theirs = others.get(talks.get(one.address, ("", "")), route)
        groups.setdefault(theirs.key, (theirs, []))[1].append(one)
    # In the order of their names, as everyone locks senders' days: nobody waits in a ring.
    for key in sorted(groups.keys() - {route.key}):
        theirs, wanted = groups[key]
        taken = await _within_day(db, theirs, wanted)
        groups[key] = (theirs, wanted[:taken])
        groups[route.key][1].extend(wanted[taken:])
    moved = [
        (one.attempt, theirs.channel.provider, theirs.sender.name)
        for theirs, some in groups.values()
        if theirs is not route
        for one in some
    ]
    await senders.reassign(db, moved)
    return groups


async def _within_day(db: Db, route: Route, wanted: Sequence[Claimed]) -> int:
    """Take what a sender's day still allows; return how many of `wanted`, from the first on."""
    if route.sender.a_day is None:
        return len(wanted)
    who = (*who_is(route.channel), route.sender.name)
    units = await senders.take_of_day(db, who, sum(one.units for one in wanted), route.sender.a_day)
    fit = 0
    while fit < len(wanted) and wanted[fit].units <= units:
        units -= wanted[fit].units
        fit += 1
    if units:
        await senders.give_back_of_day(db, who, units)
    return fit


def _ways(health: Health, side: Providers, channel: str) -> dict[tuple[str, str], Route]:
    """Return all ways that are well, by provider and sender."""
    well = [one for one in side.of(channel) if health.circuit(one) is Circuit.CLOSED]
    return {
        (one.provider, sender.name): Route(channel=one, sender=sender)
        for one in well
        for sender in one.senders
        if not health.is_aside(one, sender.name)
    }


async def _trial(ledger: Ledger, health: Health, one: AnyChannel) -> Route | None:
    """Return the way for one message through a half-open provider, if it is time for one."""
    if health.circuit(one) is not Circuit.HALF_OPEN:
        return None
    found, now = _senders_of(health, one), monotonic()
    # Every turn comes by here: the ledger is asked once a second, not by each of them.
    if not found or health.dry_until.get(f"trial:{who_is(one)}", 0) > now:
        return None
    health.dry_until[f"trial:{who_is(one)}"] = now + _ASK_EVERY
    async with ledger.write() as db:
        if not await book.take_trial(db, who_is(one)):
            return None
    return Route(channel=one, sender=found[0].sender, is_trial=True)


def _drawn(well: Sequence[AnyChannel], weights: Sequence[int]) -> AnyChannel | None:
    """Draw one by weight; where all that are well have none, by chance."""
    if not well:
        return None
    return _DICE.choices(well, weights if any(weights) else None)[0]


def _senders_of(health: Health, one: AnyChannel) -> list[Route]:
    """Return a provider's senders that can send, spread by their pace; those without any, last."""
    usable = [s for s in one.senders if not health.is_aside(one, s.name)]
    found = [Route(channel=one, sender=sender) for sender in usable]
    if len(found) > 1:
        now = monotonic()
        rates = {route.key: route.sender.pace.units_per_second for route in found}
        # Efraimidis and Spirakis: a random order in which the faster tend to stand before.
        found.sort(key=lambda route: -(_DICE.random() ** (1 / rates[route.key])))
        found = [r for r in found if health.dry_until.get(r.key, 0) <= now] or found[:1]
    return found
