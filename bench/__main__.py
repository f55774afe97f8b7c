"""Runs the bench: `ONLY=webhook FULL=1 ENGINE=sqlite python -m bench`."""

import asyncio
import importlib
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import rows
from bench.report import table, times_told, write, write_times
from bench.row import Bench, Engine, Experiment, Result, Row, result
from bench.server import Server

_OUT = Path("build/bench.json")
_SEED = 20_260_203


def main() -> int:
    """Measure what the environment asks for; exit 1 where a floor was missed."""
    only, full = os.environ.get("ONLY", ""), os.environ.get("FULL", "") not in {"", "0"}
    wanted = [Engine(name) for name in os.environ.get("ENGINE", "").split()] or list(Engine)
    chosen = [each for each in experiments() if _is_asked_for(each, only, full=full)]
    if not chosen:
        print(f"There is no row {only}.", file=sys.stderr)
        return 2
    # Whoever is asked to stop cleans up as for Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results, times, broken = asyncio.run(_measured(chosen, wanted, full=full))
    anew = not only and len(wanted) == len(Engine)
    write(results, _OUT, anew=anew)
    write_times(times, _OUT, anew=anew)
    print(f"\n{table(results)}\n\n{times_told(times)}\n\nWritten to {_OUT}.")
    for why in broken:
        print(f"Not measured: {why}", file=sys.stderr)
    return 0 if not broken and all(each.holds for each in results) else 1


def experiments() -> Iterator[Experiment]:
    """Yield what the files of `bench/rows` measure, in the order of their names."""
    for found in sorted(pkgutil.iter_modules(rows.__path__), key=lambda found: found.name):
        module = importlib.import_module(f"bench.rows.{found.name}")
        if hasattr(module, "EXPERIMENT"):
            yield module.EXPERIMENT
        yield from getattr(module, "EXPERIMENTS", ())


def _is_asked_for(experiment: Experiment, only: str, *, full: bool) -> bool:
    return any(row.name.startswith(only) and (full or not row.only_full) for row in experiment.rows)


async def _measured(
    chosen: list[Experiment], wanted: list[Engine], *, full: bool
) -> tuple[list[Result], dict[str, float], list[str]]:
    """Return what was measured, the seconds that it took by experiment, and what failed.

    One row's trouble costs no other row.
    """
    server = Server()
    folder = Path(tempfile.mkdtemp(prefix="kentongan-bench-"))
    results: list[Result] = []
    times: dict[str, float] = {}
    broken: list[str] = []
    try:
        for experiment in chosen:
            for engine in (each for each in experiment.engines() if each in wanted):
                bench = Bench(engine=engine, full=full, folder=folder, server=server, seed=_SEED)
                name, began = f"{experiment.rows[0].name} on {engine}", time.monotonic()
                try:
                    results += await _one(experiment, bench)
                except Exception as trouble:  # noqa: BLE001 - said at the end, and exits with 1
                    broken.append(f"{name}: {type(trouble).__name__}: {trouble}")
                    print(f"{broken[-1]}\n", flush=True)
                times[name] = time.monotonic() - began
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    return results, times, broken


async def _one(experiment: Experiment, bench: Bench) -> list[Result]:
    samples = await experiment.measure(bench)
    rows_of: Mapping[str, Row] = {row.name: row for row in experiment.rows}
    results = [
        result(rows_of[name], bench.engine, taken)
        for name, taken in samples.items()
        if bench.engine in rows_of[name].limits
    ]
    print(f"{table(results)}\n", flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
