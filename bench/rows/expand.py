"""People and deliveries written by an expansion, against a bare bulk insert of the same rows."""

import asyncio

from bench.children import listening, run
from bench.people import texted
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Sample, Samples
from bench.world import sms_through, standing

_PEOPLE, _FULL = 100_000, 1_000_000
_WARM = 2000
_ALTERNATIONS = 3


async def measure(bench: Bench) -> Samples:
    """Expand an alert that is paused as soon as it is accepted, so that all it does is expand."""
    people = _FULL if bench.full else _PEOPLE
    samples = []
    with listening("bench.sinks.twilio", bench.folder) as sink:
        async with standing(bench, environ=sms_through(sink)) as world:
            for group, size in (("warm", _WARM), ("all", people)):
                await world.gather(texted(group, size))
            for turn in range(_ALTERNATIONS + 1):
                async with world.measured() as took:
                    alert = await world.accept("all" if turn else "warm", "sms")
                    await asyncio.to_thread(world.api.post, f"/v1/alerts/{alert}/pause")
                    await world.books.until_expanded(alert, people / 500)
                if turn:  # the first has warmed us; a bulk insert has nothing to warm
                    bare = await run("bench.bare.bulk", world.database_url, alert)
                    by = "cpu" if bench.engine is Engine.SQLITE else "wall"
                    ours = took.ours if by == "cpu" else took.wall
                    beside = {**took.beside(), "CPU s": took.ours, "bare wall s": bare["wall"]}
                    samples.append(
                        Sample(ours=people / ours, theirs=people / bare[by], beside=beside)
                    )
    return {"expand": samples}


EXPERIMENT = Experiment(
    rows=(
        Row(
            name="expand",
            unit="people/s (SQLite: CPU-s)",
            better=Better.HIGHER,
            limits={
                Engine.POSTGRESQL: Limits(floor=0.4, aim=0.55),
                Engine.SQLITE: Limits(floor=0.5, aim=0.65),
            },
        ),
    ),
    measure=measure,
)
