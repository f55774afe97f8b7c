"""Where the source is, for tests that read it."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "kentongan",
    "ledger",
    "channels",
    "templates",
    "workers",
    "service",
    "simulator",
    "cli",
)


def sources() -> Iterator[Path]:
    """Yield every Python file of ours, tests included."""
    for folder in (*PACKAGES, "tests", "bench"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    """Return every page for people."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
