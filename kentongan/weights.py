"""Shares of traffic between the providers of a channel: they move ten points at a time, and back.

The rule, its points, its windows and its thresholds are GOV.UK Notify's (`notifications-api`,
`provider_details_dao.py` and `scheduled_tasks.py`), for any number of providers instead of two.
Never all at once: one bad answer once sent all of its texts to the other supplier, and the other
then broke under them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

#: All shares of a channel together.
WHOLE = 100
#: What moves at once.
STEP = 10
#: Seconds that are looked back for errors, and how many of them move a share.
ERROR_WINDOW = 60.0
MOST_ERRORS = 50
#: Seconds after which a message without a receipt is slow, seconds that are looked back for them,
#: and which part of a provider's messages may be.
SLOW_AFTER = 300.0
SLOW_WINDOW = 900.0
MOST_SLOW = 0.15
#: Seconds that the shares stay as they are after any move: before one for errors, for slowness, and
#: before one back.
AFTER_ERRORS = 60.0
AFTER_SLOWNESS = 300.0
AFTER_QUIET = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a provider did: errors within `ERROR_WINDOW`, and whether its receipts come too late."""

    errors: int = 0
    is_slow: bool = False

    @property
    def fails(self) -> bool:
        return self.errors >= MOST_ERRORS


Shares = Mapping[str, int]


def at_rest(wanted: Mapping[str, int]) -> Shares:
    """Return whole shares in the proportion of `wanted`, together `WHOLE`."""
    return MappingProxyType(_split(WHOLE, wanted))


def moved(shares: Shares, resting: Shares, seen: Mapping[str, Seen], *, quiet: float) -> Shares:
    """Return the shares after one look; the same where nothing moves.

    `quiet` are the seconds since they last moved (infinite: never). Nobody is relieved where nobody
    does better: traffic that goes in circles helps nobody.
    """
    if set(shares) != set(resting) or sum(shares.values()) != WHOLE:
        return resting  # providers came or went
    failing = {name for name in resting if seen.get(name, Seen()).fails}
    slow = {name for name in resting if seen.get(name, Seen()).is_slow}
    if failing and failing != set(resting):
        worst = max(failing, key=lambda name: (bool(shares[name]), seen[name].errors, name))
        return _relieved(shares, resting, worst, failing) if quiet >= AFTER_ERRORS else shares
    late = slow - failing
    if late and late != set(resting):
        worst = max(late, key=lambda name: (shares[name], name))
        return _relieved(shares, resting, worst, slow) if quiet >= AFTER_SLOWNESS else shares
    if not failing and not slow and quiet >= AFTER_QUIET:
        return _nearer(shares, resting)
    return shares


def returned(resting: Shares, name: str) -> Shares:
    """Return the shares after a provider that was set aside came back: it begins with one step."""
    others = {other: share or 1 for other, share in resting.items() if other != name}
    if name not in resting or not others:
        return resting
    step = min(STEP, resting[name])
    return {name: step, **_split(WHOLE - step, others)}


def _relieved(shares: Shares, resting: Shares, worst: str, bad: Collection[str]) -> Shares:
    """Take a step from the worst and share it out among those that are well."""
    step = min(STEP, shares[worst])
    well = {name: resting[name] or 1 for name in resting if name not in bad}
    given = _split(step, well)
    return {
        name: share - step if name == worst else share + given.get(name, 0)
        for name, share in shares.items()
    }


def _nearer(shares: Shares, resting: Shares) -> Shares:
    """Go one step back to where the shares rest."""
    over = {name: shares[name] - rest for name, rest in resting.items() if shares[name] > rest}
    under = {name: rest - shares[name] for name, rest in resting.items() if shares[name] < rest}
    step = min(STEP, sum(over.values()))
    taken, given = _split(step, over), _split(step, under)
    return {n: share - taken.get(n, 0) + given.get(n, 0) for n, share in shares.items()}


def _split(amount: int, by: Mapping[str, int]) -> dict[str, int]:
    """Split a whole number in proportion; what is left over goes to the largest remainders."""
    total = sum(by.values())
    if not total:
        return dict.fromkeys(by, 0)
    parts = {name: amount * weight // total for name, weight in by.items()}
    left = amount - sum(parts.values())
    by_remainder = sorted(by, key=lambda name: (-(amount * by[name] % total), name))
    for name in by_remainder[:left]:
        parts[name] += 1
    return parts
