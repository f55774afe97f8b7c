"""How old the people's counts of a running alert get, against one bare count of its deliveries."""

import asyncio
import time
from statistics import median

from bench.books import Books
from bench.children import listening
from bench.flow import Flow, flowing
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Sample, Samples
from bench.world import standing

_DELIVERIES, _FULL = 100_000, 1_000_000
#: Bare counts that are timed, and the seconds between two looks of a viewer at ours.
_BARE, _LOOK_EVERY = 10, 0.1
#: Ours is looked at until so many counts were made.
_COUNTS = 5


async def measure(bench: Bench) -> Samples:
    """Look at a flowing alert as its viewers do, and note the oldest count that is shown."""
    people = _FULL if bench.full else _DELIVERIES
    with listening("bench.sinks.webhook", bench.folder) as sink:
        async with standing(bench) as world, flowing(world, people, sink) as flow:
            ages, counts = await _ages(flow)
            bare = [await _bare(world.books, flow.alert) for _ in range(_BARE)]
    sample = Sample(
        ours=max(ages), theirs=median(bare), beside={"counts": counts, "median age s": median(ages)}
    )
    return {"counting": [sample]}


async def _ages(flow: Flow) -> tuple[list[float], int]:
    """Return how old what was on a viewer's screen got, and how many counts it showed."""
    ages: list[float] = []
    seen: set[str] = set()
    shown_at, age = time.monotonic(), 0.0
    while len(seen) <= _COUNTS and await flow.goes_on():
        alert = await asyncio.to_thread(flow.world.api.get, f"/v1/alerts/{flow.alert}")
        counts = alert["counts"]
        now = time.monotonic()
        ages.append(age + now - shown_at)  # until this moment they saw the one before
        shown_at, age = now, counts["age_seconds"]
        seen.add(counts["counted_at"])
        await asyncio.sleep(_LOOK_EVERY)
    return ages, len(seen)


async def _bare(books: Books, alert: str) -> float:
    began = time.monotonic()
    await books.ask(
        "SELECT channel, state, count(*) FROM deliveries WHERE alert_id = $1"
        " GROUP BY channel, state",
        alert,
    )
    return time.monotonic() - began


EXPERIMENT = Experiment(
    rows=(
        Row(
            name="counting",
            unit="s",
            better=Better.LOWER,
            limits=dict.fromkeys(Engine, Limits(floor=150, aim=60)),
        ),
    ),
    measure=measure,
)
