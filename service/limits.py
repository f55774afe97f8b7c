"""Counts failures by name in bounded memory, so that guessing becomes slow and costs us nothing."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Count:
    until: float
    failures: int


class FailureLimit:
    """At most `most` failures per name within `window` seconds; the oldest names are forgotten."""

    def __init__(self, *, most: int, window: float, names: int = 10_000) -> None:
        self._most, self._window, self._names = most, window, names
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def wait(self, name: str, now: float) -> float:
        """Return how many seconds `name` has to wait; 0: none."""
        count = self._counts.get(name)
        if count is None or count.failures < self._most:
            return 0
        return max(0.0, count.until - now)

    def note(self, name: str, now: float) -> None:
        """Count a failure of `name`. `now` is any monotonic clock, in seconds."""
        count = self._counts.get(name)
        if count is None or count.until <= now:
            self._counts[name] = count = _Count(now + self._window, 0)
        count.failures += 1
        self._counts.move_to_end(name)
        if len(self._counts) > self._names:
            self._counts.popitem(last=False)

    def __len__(self) -> int:
        return len(self._counts)
