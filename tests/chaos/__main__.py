"""Runs the endurance: `ENGINE=sqlite ONLY=kills SEED=7 FULL=1 python -m tests.chaos`."""

import importlib
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from cli.errors import CommandError
from ledger.engine import LedgerAwayError
from tests.chaos import ordeals
from tests.chaos.ordeal import Engine, NotPossibleError, Ordeal, Size
from tests.chaos.report import Result, table, write
from tests.chaos.stage import Stage
from tests.journey.client import NoAnswerError

_OUT = Path("build/chaos.json")
_SEED = 20_260_203
#: What ends one row and not the others: something is away for longer than a row waits.
_ENDS_EARLY = (
    AssertionError, CommandError, LedgerAwayError, NoAnswerError, OSError, SQLAlchemyError,
)  # fmt: skip


def main() -> int:
    """Run what the environment asks for; exit 1 where something did not hold."""
    seed = int(os.environ.get("SEED") or _SEED)
    only, size = os.environ.get("ONLY", ""), _size()
    given = os.environ.get("ENGINE", "").split()
    wanted = [Engine(name) for name in given] or (
        [Engine.SQLITE] if size is Size.CUT else list(Engine)
    )
    names = tuple(only.split(","))  # without any, all begin so
    chosen = [each for each in known() if each.name.startswith(names) and each.count(size)]
    if not chosen:
        print(f"There is no fault {only}.", file=sys.stderr)
        return 2
    # Whoever is asked to stop cleans up as for Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results, began = [], time.monotonic()
    for engine in wanted:
        for ordeal in chosen:
            if engine in ordeal.engines:
                results += _one(ordeal, engine, size, seed)
                write(results, _OUT)  # each: whoever ends a long run early keeps what was seen
    print(f"\n{table(results)}\n\nWritten to {_OUT} ({time.monotonic() - began:.0f} s).")
    return 0 if all(each.holds for each in results) else 1


def known() -> Iterator[Ordeal]:
    """Yield the faults in the order of their files' names."""
    for found in sorted(pkgutil.iter_modules(ordeals.__path__), key=lambda found: found.name):
        yield from importlib.import_module(f"tests.chaos.ordeals.{found.name}").ORDEALS


def _size() -> Size:
    asked = [size for size in (Size.CUT, Size.FULL) if os.environ.get(size.upper(), "") > "0"]
    return asked[0] if asked else Size.PLAIN


def _one(ordeal: Ordeal, engine: Engine, size: Size, seed: int) -> list[Result]:
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="kentongan-chaos-"))
    keep = kept = os.environ.get("KEEP", "") > "0"
    try:
        result = _judged(ordeal, engine, size, seed, folder)
        keep = kept or not result.holds
    except NotPossibleError as error:
        print(f"{ordeal.name} ({engine}): skipped; {error}", flush=True)
        return []
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{table([result])}\n({time.monotonic() - began:.0f} s)\n", flush=True)
    if not result.holds:
        extra = "" if size is Size.PLAIN else f"{size.upper()}=1 "
        again = f"{extra}ENGINE={engine} ONLY='{ordeal.name}' SEED={seed} make chaos"
        print("\n".join(result.wrong))
        print(f"Again: {again}", flush=True)
    if keep:
        print(f"Logs: {folder}\n", flush=True)
    return [result]


def _judged(ordeal: Ordeal, engine: Engine, size: Size, seed: int, folder: Path) -> Result:
    stage = Stage(ordeal, engine, size, seed, folder)
    try:
        stage.prepare()
        if ordeal.peopled and ordeal.starts:
            stage.up()
        try:
            ordeal.run(stage, ordeal.count(size))
        except _ENDS_EARLY as error:
            stage.blame(f"it did not come to its end: {error!r}")
        try:
            return stage.verdict()
        except _ENDS_EARLY as error:
            stage.blame(f"it could not be judged: {error!r}")
            return stage.unjudged()
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())
