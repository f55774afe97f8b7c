"""Whether a big alert costs more for each delivery, or more memory, than one of ten thousand."""

import time
from dataclasses import dataclass

from bench.children import listening
from bench.cpu import forget_peak, peak_memory
from bench.people import mailed
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Sample, Samples
from bench.sending import WARM
from bench.tell import tell
from bench.world import World, email_through, standing

_USUAL = 10_000
_SIZES = {"1k": 1_000, "100k": 100_000, "1M": 1_000_000}
#: The small sizes are measured so often, if that takes no longer than so many seconds; the big ones
#: once. The long form takes its time.
_ALTERNATIONS, _PATIENCE = 3, 90.0
_BIG = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What an alert of some size took: CPU seconds for each delivery, bytes of one worker."""

    cpu: float
    memory: float
    beside: dict[str, float]


async def measure(bench: Bench) -> Samples:
    """Send mail, which costs us the least for each, so that what grows would show."""
    samples: dict[str, list[Sample]] = {}
    began = time.monotonic()
    with listening("bench.sinks.smtp", bench.folder, ready="") as port:
        async with standing(bench, environ=email_through(port)) as world:
            for turn in range(_ALTERNATIONS):
                if turn and not bench.full and time.monotonic() - began > _PATIENCE:
                    break
                usual = await _sent(world, f"usual-{turn}", _USUAL)
                for name, people in _SIZES.items():
                    if _is_due(people, turn, full=bench.full):
                        cost = await _sent(world, f"{name}-{turn}", people)
                        _keep(samples, name, cost, usual)
    return samples


def _is_due(people: int, turn: int, *, full: bool) -> bool:
    return people <= _BIG or (turn == 0 and people <= 2 * _BIG) or full


def _keep(samples: dict[str, list[Sample]], name: str, cost: _Cost, usual: _Cost) -> None:
    grown = Sample(ours=cost.cpu * 1e6, theirs=usual.cpu * 1e6, beside=cost.beside)
    samples.setdefault(f"growth {name}", []).append(grown)
    if name != "1k":  # less memory than usual is no news
        held = Sample(ours=cost.memory / 1e6, theirs=usual.memory / 1e6)
        samples.setdefault(f"memory {name}", []).append(held)
    tell(f"{name}: {cost.cpu * 1e6:.0f} µs each, {cost.memory / 1e6:.0f} MB")


async def _sent(world: World, group: str, people: int) -> _Cost:
    """Send one alert with a worker that has done nothing else but warm up."""
    await world.employ(1)
    await world.gather(mailed(f"{group}-warm", WARM))
    await world.send(f"{group}-warm", "email", WARM)
    await world.gather(mailed(group, people))
    [worker] = world.workers
    forget_peak(worker.pid)
    async with world.measured() as took:
        await world.send(group, "email", people)
    return _Cost(cpu=took.ours / people, memory=peak_memory(worker.pid), beside=took.beside())


def _row(name: str, unit: str, floor: float, *, only_full: bool = False) -> Row:
    limits = Limits(floor=floor, aim=1.10)
    return Row(
        name=name,
        unit=unit,
        better=Better.LOWER,
        limits=dict.fromkeys(Engine, limits),
        only_full=only_full,
    )


EXPERIMENT = Experiment(
    rows=(
        _row("growth 1k", "CPU-µs/delivery", 1.25),
        _row("growth 100k", "CPU-µs/delivery", 1.25),
        _row("growth 1M", "CPU-µs/delivery", 1.25, only_full=True),
        _row("memory 100k", "MB", 1.3),
        _row("memory 1M", "MB", 1.3, only_full=True),
    ),
    measure=measure,
)
