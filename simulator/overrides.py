"""Reads the connection overrides that a webhook's URL carries in its fragment.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs

#: All that one webhook may take, retries included (Twilio's own limit), in seconds.
TOTAL = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """How often, on what and how patiently a webhook is tried again; times in seconds."""

    retries: int = 1
    on: frozenset[str] = frozenset({"ct"})
    connect: float = 5.0
    read: float = TOTAL
    total: float = TOTAL

    @classmethod
    def parse(cls, fragment: str) -> Self:
        """Read `rc=5&rp=all`; what cannot be read leaves its default, as Twilio does."""
        given = {name: values[0] for name, values in parse_qs(fragment).items()}
        on = frozenset(given.get("rp", "ct").split(","))
        if "all" in on:
            on = frozenset({"ct", "rt", "4xx", "5xx"})
        return cls(
            retries=int(_between(given.get("rc"), 0, 5, 1)),
            on=on & {"ct", "rt", "4xx", "5xx"},
            connect=_between(given.get("ct"), 100, 10_000, 5000) / 1000,
            read=_between(given.get("rt"), 100, 15_000, 15_000) / 1000,
            total=_between(given.get("tt"), 100, 15_000, 15_000) / 1000,
        )

    def again_after(self, status: int) -> bool:
        """Say whether an answer with this status is tried again."""
        return f"{status // 100}xx" in self.on


def _between(text: str | None, low: int, high: int, default: int) -> float:
    if text is None or not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        return default
    return int(text)
