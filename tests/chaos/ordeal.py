"""What an endurance run is made of: a fault, how often it strikes, and what must hold after it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tests.journey.world import HANDED_OVER


class Engine(StrEnum):
    """What the ledger runs on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Size(StrEnum):
    """How long a run may take: minutes for CI, half an hour, hours."""

    CUT = "cut"
    PLAIN = "plain"
    FULL = "full"


class NotPossibleError(Exception):
    """This fault cannot be made here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds after a fault within which what was never claimed flows again, by lane, and what was
    claimed is decided."""

    flash: float = 30.0
    routine: float = 30.0
    decided: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordeal:
    """One row of the table. `run` strikes `count` times and returns; then the books are judged."""

    name: str
    run: Callable[[Any, int], None]  # Any: the stage, which knows of us
    plain: int
    full: int
    cut: int = 0  # 0: not in CI's cut
    engines: Sequence[Engine] = tuple(Engine)
    limits: Limits = Limits()
    #: How a delivery of the load may end.
    ends: frozenset[str] = HANDED_OVER | {"answered", "machine"}
    #: Whether a delivery that the provider has twice is a fault. Where nobody can be asked it is
    #: what severity decides, and is only listed.
    may_double: bool = False
    #: Seconds for everything to be decided once the load has ended.
    patience: float = 150.0
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: Whether processes run; if not, `run` has a bare ledger.
    peopled: bool = True
    #: Whether they are started before `run`; if not, it calls `up` itself.
    starts: bool = True
    #: Whether the ledger lies on a disk so small that it can be filled.
    cramped: bool = False

    def count(self, size: Size) -> int:
        """Return how often it strikes."""
        return {Size.CUT: self.cut, Size.PLAIN: self.plain, Size.FULL: self.full}[size]
