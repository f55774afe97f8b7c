"""How often one contact point may be written to: a table of limits, and when the next may go."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from kentongan.clock import seconds

#: The longest span a limit may have: what is counted lies in the index of recent deliveries.
LONGEST = 7 * 86_400

_SECONDS_IN = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_ENTRY = re.compile(r"([a-z][a-z0-9_]{0,31})=(\d{1,6})/(\d{1,6})([smhd])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many messages to one contact point within so many seconds."""

    most: int
    within: int


#: By channel; what is not in it is not limited.
PersonRate = Mapping[str, tuple[Limit, ...]]

#: What `standard` stands for: the table that GoAlert keeps for messages about alerts
#: (target/goalert, engine/message/ratelimit.go). Webhooks go to machines, which do not tire.
STANDARD: PersonRate = MappingProxyType(
    {
        "sms": (
            Limit(most=1, within=60),
            Limit(most=5, within=900),
            Limit(most=11, within=3600),
            Limit(most=21, within=10_800),
        ),
        "voice": (
            Limit(most=1, within=60),
            Limit(most=3, within=900),
            Limit(most=7, within=3600),
            Limit(most=15, within=10_800),
        ),
        "email": (Limit(most=1, within=60),),
    }
)


def parse(entries: Iterable[str]) -> PersonRate:
    """Read `standard` and `channel=most/span`; a channel's own entries replace the standard's.

    Raises `ValueError` with the sentence for the entry that is wrong.
    """
    found: dict[str, tuple[Limit, ...]] = {}
    standard: PersonRate = {}
    for entry in entries:
        if entry == "standard":
            standard = STANDARD
        else:
            channel, limit = _limit(entry)
            found[channel] = (*found.get(channel, ()), limit)
    return {**standard, **found}


def _limit(entry: str) -> tuple[str, Limit]:
    read = _ENTRY.fullmatch(entry)
    if read is None:
        raise ValueError(f"{entry!r} is no rate; write sms=5/15m (spans in s, m, h, d) or standard")
    channel, most, count, unit = read.groups()
    limit = Limit(most=int(most), within=int(count) * _SECONDS_IN[unit])
    if limit.most < 1:
        raise ValueError(f"{entry!r} lets nothing through; take the channel out of use instead")
    if not 1 <= limit.within <= LONGEST:
        raise ValueError(f"{entry!r} counts over no time, or over more than 7 days")
    return channel, limit


def free_at(sent: Sequence[int], limits: Iterable[Limit], now: int) -> int:
    """Return when one more may go, `now` at the earliest, should nothing else go meanwhile.

    `sent` are the instants of those before, ascending; instants are epoch microseconds. A limit's
    window holds what is younger than its span, to the microsecond.
    """
    waits = [
        sent[-limit.most] + seconds(limit.within) for limit in limits if len(sent) >= limit.most
    ]
    return max(now, *waits) if waits else now


def longest(limits: Iterable[Limit]) -> int:
    """Return the longest span among `limits`, in seconds: nothing older has a say."""
    return max((limit.within for limit in limits), default=0)
