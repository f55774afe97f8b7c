"""What a run has found: a table for people, and a file for machines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HEADS = (
    "fault", "engine", "faults", "deliveries", "lost", "doubled", "unsettled", "worst s", "",
    "seed", "beside",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row; `wrong` are the sentences that say why it does not hold."""

    name: str
    engine: str
    faults: int
    deliveries: int
    lost: int
    doubled: int
    unsettled: int
    worst_recovery_s: float | None
    seed: int
    wrong: Sequence[str] = ()
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.wrong

    def as_record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "engine": self.engine,
            "faults": self.faults,
            "deliveries": self.deliveries,
            "lost": self.lost,
            "doubled": self.doubled,
            "unsettled": self.unsettled,
            "worst_recovery_s": self.worst_recovery_s,
            "seed": self.seed,
        }


def table(results: Sequence[Result]) -> str:
    """Return the results as aligned columns."""
    lines = [_HEADS, *(_cells(result) for result in results)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def write(results: Iterable[Result], path: Path) -> None:
    """Write results; rows of other faults and engines that the file has are kept."""
    kept = {(each["name"], each["engine"]): each for each in _read(path)}
    kept |= {(each.name, each.engine): each.as_record() for each in results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([*kept.values()], indent=1) + "\n", encoding="utf-8")


def _cells(result: Result) -> tuple[str, ...]:
    worst = result.worst_recovery_s
    return (
        result.name,
        result.engine,
        f"{result.faults:,}",
        f"{result.deliveries:,}",
        str(result.lost),
        str(result.doubled),
        str(result.unsettled),
        "-" if worst is None else f"{worst:.1f}",
        "holds" if result.holds else "FAILS",
        str(result.seed),
        ", ".join(f"{name} {value:.3g}" for name, value in result.beside.items()),
    )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return found if isinstance(found, list) else []
