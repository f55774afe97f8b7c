"""What messages cost, and how much may be spent in a day and a month: pure arithmetic.

Money is whole millionths of the deployment's currency, as providers price single messages in
fractions of a cent and sums of floats would drift.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from kentongan.clock import to_datetime, to_micros

#: Millionths in one unit of the currency.
ONE = 1_000_000

_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,6})?")
_ENTRY = re.compile(r"([a-z][a-z0-9_]{0,31})(\+\d{1,15})?=(\S+)")


def read_amount(written: str) -> int:
    """Read `12` or `0.0075`; raise `ValueError` with the sentence that says how to write it."""
    if not _AMOUNT.fullmatch(written):
        raise ValueError(f"{written!r} is no amount; write it as 12 or 0.0075, without a currency")
    return int(Decimal(written) * ONE)


def written(amount: int) -> str:
    """Return an amount as people write it: two digits behind the point, more where it has them."""
    whole, _, rest = f"{(Decimal(amount) / ONE).normalize():f}".partition(".")
    return f"{whole}.{rest.ljust(2, '0')}"


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What one unit costs (a segment, a call, a message), by channel and by prefix of a number.

    The longest prefix that fits counts; a channel without a price costs nothing.
    """

    by_channel: Mapping[str, int] = field(default_factory=dict)
    by_prefix: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "Prices":
        """Read `sms=0.05` and `sms+62=0.03`; raise `ValueError` for the entry that is wrong."""
        by_channel: dict[str, int] = {}
        by_prefix: dict[str, dict[str, int]] = {}
        for entry in entries:
            read = _ENTRY.fullmatch(entry)
            if read is None:
                raise ValueError(f"{entry!r} is no price; write sms=0.05, or sms+62=0.03 for +62")
            channel, prefix, amount = read.groups()
            prices, key = (
                (by_prefix.setdefault(channel, {}), prefix)
                if prefix
                else (
                    by_channel,
                    channel,
                )
            )
            if key in prices:
                raise ValueError(f"{channel}{prefix or ''} has two prices; keep one of them")
            prices[key] = read_amount(amount)
        return cls(by_channel=by_channel, by_prefix=by_prefix)

    def __bool__(self) -> bool:
        return bool(self.by_channel or self.by_prefix)

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(self.by_channel) | frozenset(self.by_prefix)

    @cached_property
    def cheapest(self) -> int:
        """What the cheapest unit costs that costs anything; 0 where nothing does."""
        prices = [
            *self.by_channel.values(),
            *(p for t in self.by_prefix.values() for p in t.values()),
        ]
        return min((price for price in prices if price), default=0)

    def cheapest_of(self, channel: str) -> int:
        """Return what a unit costs at the least on a channel, wherever it goes."""
        prices = self.by_prefix.get(channel, {}).values()
        return min([self.by_channel.get(channel, 0), *prices])

    @cached_property
    def _lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {
            channel: tuple(sorted({len(prefix) for prefix in prices}, reverse=True))
            for channel, prices in self.by_prefix.items()
        }

    def of(self, channel: str, address: str, units: int) -> int:
        """Return what a message of `units` to `address` costs."""
        for length in self._lengths.get(channel, ()):
            price = self.by_prefix[channel].get(address[:length])
            if price is not None:
                return price * units
        return self.by_channel.get(channel, 0) * units


class Period(StrEnum):
    """Over what spending is bounded."""

    DAY = "day"
    MONTH = "month"


def day_of(now: int, zone: tzinfo) -> date:
    """Return the day on which an instant falls."""
    return to_datetime(now).astimezone(zone).date()


def first_day(period: Period, day: date) -> date:
    """Return the first day of the period in which `day` lies."""
    return day if period is Period.DAY else day.replace(day=1)


def ends_at(period: Period, day: date, zone: tzinfo) -> int:
    """Return the instant at which the period of `day` is over: a midnight in `zone`."""
    if period is Period.DAY:
        after = day + timedelta(days=1)
    else:
        after = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return to_micros(datetime.combine(after, time.min, zone).astimezone(UTC))


#: From this share of a cap on, people are warned.
NEARLY = 0.8


class Level(StrEnum):
    """How far the money of a period is gone."""

    FINE = "fine"
    NEARLY = "nearly"
    REACHED = "reached"  # not even the cheapest message can be paid


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was spent of a period's cap, in millionths; `most` is None where it has none."""

    period: Period
    spent: int
    most: int | None
    ends_at: int

    @property
    def left(self) -> int | None:
        """What is left, below 0 where extreme alerts went beyond it."""
        return None if self.most is None else self.most - self.spent

    @property
    def share(self) -> float | None:
        return None if self.most is None else self.spent / self.most

    def level(self, prices: Prices) -> Level:
        """Tell how far it is gone."""
        if self.share is None or self.left is None or self.share < NEARLY:
            return Level.FINE
        return Level.REACHED if self.left < max(prices.cheapest, 1) else Level.NEARLY
