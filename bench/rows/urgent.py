"""How soon a flash alert is at its provider while 200,000 routine deliveries flow."""

from bench.children import listening
from bench.ear import listening as hearing
from bench.flow import flowing
from bench.latency import arq_at_rest, arq_times, our_times, percentile, posting, times_beside
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Sample, Samples
from bench.world import standing

_QUEUED = 200_000
_PAUSE = 0.1


async def measure(bench: Bench) -> Samples:
    """Post flash alerts to one system each beside the flow; arq has nothing else to do."""
    with listening("bench.sinks.webhook", bench.folder) as sink:
        async with hearing() as ear, standing(bench) as world:
            async with arq_at_rest(bench, world, ear) as hand_in:
                theirs = await arq_times(hand_in, bench.seed)
            flash = {"severity": "extreme", "urgency": "immediate"}
            async with posting(world, ear, **flash) as post:
                await our_times(post, bench.seed, _PAUSE, tries=5)
                async with flowing(world, _QUEUED, sink) as flow, world.measured() as took:
                    ours = await times_beside(flow, post, bench.seed, _PAUSE)
    beside = {"p50 ms": percentile(ours, 0.5) * 1000, "tries": len(ours)}
    sample = Sample(
        ours=percentile(ours, 0.99) * 1000,
        theirs=percentile(theirs, 0.99) * 1000,
        beside={**beside, **took.beside()},
    )
    return {"urgent": [sample]}


EXPERIMENT = Experiment(
    rows=(
        Row(
            name="urgent",
            unit="ms",
            better=Better.LOWER,
            limits=dict.fromkeys(Engine, Limits(floor=1, aim=1 / 4)),
        ),
    ),
    measure=measure,
)
