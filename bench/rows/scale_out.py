"""What more workers bring, where waiting for the provider and not the CPU is what takes time."""

import time

from bench.children import listening
from bench.people import texted
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Sample, Samples
from bench.tell import tell
from bench.world import World, sms_through, standing

#: Milliseconds until the provider answers, and sends at a time for each worker: 100 a second.
_ANSWERS_IN, _AT_A_TIME = 100, 10
_PEOPLE_EACH = 500
_WARM_EACH = 60
_SIZES = (2, 4, 8)
#: Rounds, the second only if the first took no longer than so many seconds.
_ROUNDS, _PATIENCE = 2, 60.0
_FULL_ROUNDS = 5


async def measure(bench: Bench) -> Samples:
    """Let one worker send, then 2, 4 and 8, each as long as the one; compare deliveries a second.

    All share the machine with the provider: the figure also shows when its cores are used up.
    """
    began = time.monotonic()
    samples: dict[str, list[Sample]] = {_name(workers): [] for workers in _SIZES}
    with listening("bench.sinks.twilio", bench.folder, str(_ANSWERS_IN)) as port:
        environ = sms_through(port) | {"KENTONGAN_SEND_SLOTS": str(_AT_A_TIME)}
        async with standing(bench, environ=environ) as world:
            for turn in range(_FULL_ROUNDS if bench.full else _ROUNDS):
                if turn and not bench.full and time.monotonic() - began > _PATIENCE:
                    break
                alone = await _rate(world, f"{turn}-1", 1)
                for workers in _SIZES:
                    together = await _rate(world, f"{turn}-{workers}", workers)
                    tell(f"{workers} workers: {together:.0f}/s, one: {alone:.0f}/s")
                    samples[_name(workers)].append(Sample(ours=together, theirs=alone))
    return samples


async def _rate(world: World, group: str, workers: int) -> float:
    """Return deliveries a second of an alert, from the POST to the last outcome on record."""
    await world.employ(workers)
    warm, people = _WARM_EACH * workers, _PEOPLE_EACH * workers
    await world.gather(texted(f"{group}-warm", warm))
    await world.send(f"{group}-warm", "sms", warm)
    await world.gather(texted(group, people))
    async with world.measured() as took:
        await world.send(group, "sms", people)
    return people / took.wall


def _name(workers: int) -> str:
    return f"scale out {workers}"


EXPERIMENT = Experiment(
    rows=tuple(
        Row(
            name=_name(workers),
            unit="deliveries/s",
            better=Better.HIGHER,
            limits=dict.fromkeys(Engine, Limits(floor=0.85 * workers, aim=0.95 * workers)),
        )
        for workers in _SIZES
    ),
    measure=measure,
)
