"""When to try again. Pure arithmetic, so that the schedule can be read and tested."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import random

#: The longest wait that a provider's Retry-After may impose; an alert is news while it is fresh.
LONGEST_ASKED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Waits in seconds before counted try 2, 3, …; as many waits, as many repeats.

    Short at first: an alert is worth most in its first minutes.
    """

    waits: tuple[float, ...] = (2, 10, 30, 120, 600)
    jitter: float = 0.2  # ± this share, so that what failed together does not return together

    def wait_before(
        self,
        tries_made: int,
        asked_for: timedelta | None = None,
        chance: Callable[[], float] = random,
    ) -> timedelta | None:
        """Return how long to wait after `tries_made` counted tries, or None when they are used up.

        A provider's wish is honoured where it is longer than ours, up to `LONGEST_ASKED`.
        """
        if tries_made > len(self.waits):
            return None
        ours = self.waits[max(tries_made, 1) - 1]
        spread = timedelta(seconds=ours * (1 + self.jitter * (2 * chance() - 1)))
        if asked_for is None:
            return spread
        return max(spread, min(asked_for, LONGEST_ASKED))
