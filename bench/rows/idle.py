"""How soon the first message is at the provider where nothing else goes on, against arq."""

from bench.ear import listening
from bench.latency import arq_at_rest, arq_times, our_times, percentile, posting
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Sample, Samples
from bench.world import standing

_PAUSE = 0.1
_SHARES = {"idle p50": 0.5, "idle p99": 0.99}


async def measure(bench: Bench) -> Samples:
    """Post routine alerts to one system each, at rest; then the same with arq."""
    async with listening() as ear, standing(bench) as world:
        async with posting(world, ear) as post:
            await our_times(post, bench.seed, _PAUSE, tries=5)
            ours = await our_times(post, bench.seed, _PAUSE)
        async with arq_at_rest(bench, world, ear) as hand_in:
            theirs = await arq_times(hand_in, bench.seed)
    return {
        name: [
            Sample(
                ours=percentile(ours, share) * 1000,
                theirs=percentile(theirs, share) * 1000,
                beside={"worst ms": max(ours) * 1000},
            )
        ]
        for name, share in _SHARES.items()
    }


EXPERIMENT = Experiment(
    rows=tuple(
        Row(
            name=name,
            unit="ms",
            better=Better.LOWER,
            limits=dict.fromkeys(Engine, Limits(floor=1 / 5, aim=1 / 20)),
        )
        for name in _SHARES
    ),
    measure=measure,
)
