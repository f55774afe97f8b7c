"""What a row of the bench is, and the arithmetic that turns samples into a ratio."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median

from bench.server import Server


class Engine(StrEnum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Better(StrEnum):
    """Which way is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a ratio must reach, and what it should."""

    floor: float
    aim: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One alternation. `beside` is shown and not judged: seconds, by what took them."""

    ours: float
    theirs: float
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.theirs else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of the table, on each engine that it has limits for."""

    name: str
    unit: str
    better: Better
    limits: Mapping[Engine, Limits]
    #: Measured in the long form alone.
    only_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a measurement may use. `server` gives ledgers on PostgreSQL; it starts when asked."""

    engine: Engine
    full: bool
    folder: Path
    server: Server
    seed: int


#: By the name of a row.
Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is run to measure some rows together."""

    rows: tuple[Row, ...]
    measure: Callable[[Bench], Awaitable[Samples]]

    def engines(self) -> list[Engine]:
        """Return the engines that any of the rows is measured on."""
        return [engine for engine in Engine if any(engine in row.limits for row in self.rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row that was measured."""

    row: Row
    engine: Engine
    ratio: float
    ours: float
    theirs: float
    samples: int
    beside: Mapping[str, float]

    @property
    def limits(self) -> Limits:
        return self.row.limits[self.engine]

    @property
    def holds(self) -> bool:
        """Whether it keeps its floor."""
        return _reaches(self.ratio, self.limits.floor, self.row.better)

    @property
    def excels(self) -> bool:
        """Whether it reaches its aim."""
        return _reaches(self.ratio, self.limits.aim, self.row.better)


def result(row: Row, engine: Engine, samples: Sequence[Sample]) -> Result:
    """Return medians: of the alternations' ratios, since both sides of one ran side by side."""
    names = dict.fromkeys(name for sample in samples for name in sample.beside)
    return Result(
        row=row,
        engine=engine,
        ratio=median(sample.ratio for sample in samples),
        ours=median(sample.ours for sample in samples),
        theirs=median(sample.theirs for sample in samples),
        samples=len(samples),
        beside={
            name: median(sample.beside[name] for sample in samples if name in sample.beside)
            for name in names
        },
    )


def _reaches(ratio: float, limit: float, better: Better) -> bool:
    if math.isnan(ratio):
        return False
    return ratio >= limit if better is Better.HIGHER else ratio <= limit
