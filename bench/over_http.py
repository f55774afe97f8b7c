"""How a channel over HTTP is measured: 200 requests at once, ours and a bare loop's, to a sink."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.children import listening, run
from bench.people import Crowd
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Samples
from bench.sending import Contest, contest

#: Requests at once on both sides.
AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OverHttp:
    """A channel; `sink` is the module that listens, `environ` and `crowd` get its port."""

    channel: str
    people: int
    sink: str
    environ: Callable[[int], Mapping[str, str]]
    crowd: Callable[[str, int, int], Crowd]
    limits: Mapping[Engine, Limits]

    def experiment(self) -> Experiment:
        """Return the channel's row, as sends per CPU-second."""
        row = Row(name=self.channel, unit="sends/CPU-s", better=Better.HIGHER, limits=self.limits)
        return Experiment(rows=(row,), measure=self._measure)

    async def _measure(self, bench: Bench) -> Samples:
        with listening(self.sink, bench.folder) as port:

            def crowd(group: str, people: int) -> Crowd:
                return self.crowd(group, people, port)

            ours = Contest(
                channel=self.channel,
                people=self.people,
                environ={"KENTONGAN_SEND_SLOTS": str(AT_ONCE), **self.environ(port)},
                crowd=crowd,
            )
            arguments = str(port), str(self.people), str(AT_ONCE)
            [samples] = await contest(
                bench, ours, lambda: run(f"bench.bare.{self.channel}", *arguments)
            )
        return {self.channel: samples}
