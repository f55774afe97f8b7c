"""The table that people read, and the file that machines read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench.row import Result

_Kept = TypeVar("_Kept", list[dict[str, Any]], dict[str, float])

_HEADS = ("what", "engine", "ratio", "floor", "aim", "", "ours", "theirs", "unit", "n", "beside")


def table(results: Sequence[Result]) -> str:
    """Return the results as aligned columns."""
    lines = [_HEADS, *(_cells(result) for result in results)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def write(results: Iterable[Result], path: Path, *, anew: bool) -> None:
    """Write results; unless `anew`, other rows that the file has are kept.

    The same goes as a table of Markdown beside it, for docs/performance.md.
    """
    before = [] if anew else _read(path, list)
    kept = {(each["name"], each["engine"]): each for each in before}
    kept |= {(each.row.name, str(each.engine)): as_record(each) for each in results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([*kept.values()], indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(_page(kept.values()), encoding="utf-8")


def write_times(times: Mapping[str, float], path: Path, *, anew: bool) -> None:
    """Write beside `path` the seconds that each measurement took, as `write` does results."""
    beside = path.with_suffix(".times.json")
    kept = {} if anew else _read(beside, dict)
    kept |= {name: round(seconds, 1) for name, seconds in times.items()}
    beside.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def times_told(times: Mapping[str, float]) -> str:
    """Return the seconds that each measurement took, and all of them."""
    told = ", ".join(f"{name} {seconds:.0f}" for name, seconds in times.items())
    return f"Seconds: {told}; all {sum(times.values()):.0f}."


def as_record(result: Result) -> dict[str, str | float]:
    return {
        "name": result.row.name,
        "engine": str(result.engine),
        "ratio": round(result.ratio, 4),
        "floor": result.limits.floor,
        "aim": result.limits.aim,
        "better": str(result.row.better),
        "ours": round(result.ours, 6),
        "theirs": round(result.theirs, 6),
        "unit": result.row.unit,
    }


def _cells(result: Result) -> tuple[str, ...]:
    verdict = "aim" if result.excels else "floor" if result.holds else "BELOW"
    beside = ", ".join(f"{name} {value:.3g}" for name, value in result.beside.items())
    return (
        result.row.name,
        str(result.engine),
        f"{result.ratio:.3f}",
        f"{result.limits.floor:g}",
        f"{result.limits.aim:g}",
        verdict,
        f"{result.ours:,.4g}",
        f"{result.theirs:,.4g}",
        result.row.unit,
        str(result.samples),
        beside,
    )


def _page(records: Iterable[Mapping[str, str | float]]) -> str:
    lines = ["| what | engine | ratio | floor | aim | ours | theirs | unit |", "|---" * 8 + "|"]
    for each in records:
        figures = (f"{each[name]:,.4g}" for name in ("ratio", "floor", "aim", "ours", "theirs"))
        cells = (each["name"], each["engine"], *figures, each["unit"])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def _read(path: Path, kind: type[_Kept]) -> _Kept:
    """Return what a file has of a kind of JSON, an empty one where it has none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return kind()
    return found if isinstance(found, kind) else kind()
