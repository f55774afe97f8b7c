"""How soon work went on after a fault, by the ledger's own times."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from kentongan.alert import Lane
from kentongan.clock import SECOND
from kentongan.outcome import Reason
from ledger.engine import Ledger
from ledger.schema import attempts, incarnations
from tests.chaos.load import Accepted


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that has struck; `at` in epoch seconds, `pid` of whom it hit, if it was a worker."""

    at: float
    what: str
    pid: int | None = None


@dataclass(slots=True)
class Recovery:
    """The worst times, in seconds; 0 where nothing had to recover."""

    flash: float = 0.0
    routine: float = 0.0
    decided: float = 0.0
    abandoned: int = 0  # attempts that lost their worker
    #: The worst until work flowed again, by what had struck.
    by_what: dict[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> float:
        return max(self.flash, self.routine, self.decided)


async def recovery(
    ledger: Ledger, strikes: Sequence[Strike], accepted: Mapping[str, Accepted]
) -> Recovery:
    """Measure what was waiting when something struck, until the first of it was claimed, and what
    was open in a worker that was struck, until it was decided."""
    async with ledger.read() as db:
        query = select(attempts, incarnations.c.place).outerjoin(
            incarnations, incarnations.c.id == attempts.c.worker
        )
        rows = (await db.execute(query)).all()
    found = Recovery()
    struck = sorted(strikes, key=lambda strike: strike.at)
    moments = [strike.at for strike in struck]
    for lane, first_tries in _first_tries(rows, accepted).items():
        waits = gaps(moments, first_tries[0], first_tries)
        for place, wait in waits.items():
            what = struck[place].what
            found.by_what[what] = max(found.by_what.get(what, 0.0), wait)
        waited = max(waits.values(), default=0.0)
        if lane is Lane.FLASH:
            found.flash = waited
        else:
            found.routine = waited
    for row in rows:
        if row.reason == Reason.WORKER_DIED:
            found.abandoned += 1
            found.decided = max(found.decided, _decided_after(row, strikes))
    return found


def _first_tries(
    rows: Iterable[Any], accepted: Mapping[str, Accepted]
) -> Mapping[Lane, list[float]]:
    """Return, by lane, when deliveries that had never been tried were claimed.

    Of a lane and not of an alert: what has piled up goes out as fast as it can, and how long the
    last of it waits says how much there was.
    """
    found: defaultdict[Lane, list[float]] = defaultdict(list)
    for row in rows:
        if row.no == 1 and row.alert_id in accepted:
            found[accepted[row.alert_id].lane].append(row.opened_at / SECOND)
    return {lane: sorted(times) for lane, times in found.items()}


def gaps(moments: Sequence[float], since: float, times: Sequence[float]) -> dict[int, float]:
    """Return how long after each moment, by its place, the next of `times` came; if it was struck
    again before that, the later moment counts."""
    found = {}
    for place, moment in enumerate(moments):
        after = bisect_right(times, moment)
        if moment < since or after == len(times):
            continue
        if place + 1 == len(moments) or times[after] < moments[place + 1]:
            found[place] = times[after] - moment
    return found


def _decided_after(row: Any, strikes: Sequence[Strike]) -> float:
    if row.resolution_at is None:
        return 0.0  # counted as unsettled
    pid = int((row.place or "").rpartition(":")[2] or 0)
    mine = [s.at for s in strikes if s.pid == pid and s.at * SECOND >= row.opened_at]
    struck = min(mine, default=row.opened_at / SECOND)
    return float(row.resolution_at / SECOND - struck)
