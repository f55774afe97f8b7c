"""How a sending row is measured: our alert and the bare loop, in turn, after a warm-up of each."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.people import Crowd
from bench.row import Bench, Sample
from bench.tell import tell
from bench.world import standing

#: So many alternations, and so many where one takes longer than that.
ALTERNATIONS, FEWER = 5, 3
_LONG = 10.0
WARM = 500

#: One run of a bare loop: what `bench.bare.hurry` prints.
Bare = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Ours against theirs. `crowd` makes a group of so many people."""

    channel: str
    people: int
    environ: Mapping[str, str]
    crowd: Callable[[str, int], Crowd]


async def contest(bench: Bench, ours: Contest, *theirs: Bare) -> list[list[Sample]]:
    """Return the samples against each bare loop, as sends per CPU-second."""
    samples: list[list[Sample]] = [[] for _ in theirs]
    async with standing(bench, environ=ours.environ) as world:
        await world.gather(ours.crowd("warm", WARM))
        await world.send("warm", ours.channel, WARM)
        for turn in range(ALTERNATIONS):
            began = time.monotonic()
            group = f"g{turn}"  # people who have heard nothing yet, lest a cap holds us up
            await world.gather(ours.crowd(group, ours.people))
            async with world.measured() as took:
                await world.send(group, ours.channel, ours.people)
            for bare, kept in zip(theirs, samples, strict=True):
                said = await bare()
                sample = Sample(
                    ours=ours.people / took.ours,
                    theirs=said["sent"] / said["cpu"],
                    beside={**took.beside(), "bare wall s": said["wall"]},
                )
                kept.append(sample)
                tell(f"{ours.channel} {turn}: {sample.ours:.0f} to {sample.theirs:.0f}")
            if turn + 1 == FEWER and time.monotonic() - began > _LONG:
                break
    return samples
