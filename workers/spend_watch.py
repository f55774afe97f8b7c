"""Says loudly when a spend cap is nearly or wholly reached; once each, by whoever leads."""

import logging
from collections.abc import Sequence

from kentongan.caps import Caps
from kentongan.spending import Level, Standing, written

log = logging.getLogger(__name__)


class SpendWatch:
    """Remembers what it has said; a new leader says it once more, which is better than nobody."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._said: set[tuple[str, int, Level]] = set()

    def look(self, money: Sequence[Standing]) -> None:
        """Log the caps that have come near since it last looked."""
        running = {one.ends_at for one in money}
        self._said = {said for said in self._said if said[1] in running}
        for one in money:
            level = one.level(self._caps.prices)
            said = (one.period, one.ends_at, level)
            if level is Level.FINE or said in self._said:
                continue
            self._said.add(said)
            reached = level is Level.REACHED
            log.log(
                logging.ERROR if reached else logging.WARNING,
                "spend cap is reached" if reached else "spend cap is nearly reached",
                extra={
                    "period": one.period,
                    "spent": written(one.spent),
                    "cap": written(one.most or 0),
                    "currency": self._caps.currency,
                },
            )
