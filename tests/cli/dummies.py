"""Children that do nothing but note what happens to them, and a tree of them to run as a script.

`python -m tests.cli.dummies FOLDER NAME=KIND…` starts one stage for each name and stops them in the
same order. Notes: `FOLDER/NAME.pids` has a line for each start, `FOLDER/ends` one for each end.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from cli.orphans import bound
from cli.process import Process, Program
from cli.tree import StartError, Tree


def tree(folder: Path, kinds: dict[str, str]) -> Tree:
    children = [_child(folder, name, kind) for name, kind in kinds.items()]
    return Tree([[child] for child in children], [[child] for child in children])


def _child(folder: Path, name: str, kind: str) -> Process:
    argv = [sys.executable, "-m", "tests.cli.dummies", "--child", str(folder), name, kind]
    pids = folder / f"{name}.pids"
    return Process(
        Program(name=name, argv=argv, environ={}, log=folder / f"{name}.log", is_ready=pids.exists)
    )


def child(folder: Path, name: str, kind: str) -> None:
    """Live as told: `plain`, `stubborn`, `mistaken`, or `parent` of one more."""

    def end(_number: int, _frame: FrameType | None) -> None:
        with (folder / "ends").open("a") as ends:
            ends.write(f"{name}\n")
        if kind != "stubborn":
            sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    if kind == "mistaken":
        sys.exit(2)
    if kind == "parent":
        inner = [sys.executable, "-m", "tests.cli.dummies", "--child", str(folder), "grandchild"]
        log = folder / "grandchild.log"
        argv = bound([*inner, "plain"], signal.SIGKILL)
        Process(Program(name="grandchild", argv=argv, environ={}, log=log)).start()
    with (folder / f"{name}.pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    while True:
        time.sleep(1)


def main(arguments: list[str]) -> int:
    if arguments[0] == "--child":
        child(Path(arguments[1]), arguments[2], arguments[3])
    # Whoever runs the tests in the background of a shell hands down an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    grown = tree(Path(arguments[0]), dict(each.split("=") for each in arguments[1:]))
    with grown.listening():
        try:
            grown.start()
            grown.run()
        except StartError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            grown.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
