import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.process import Program
from tests.fakes.processes import Running, eventually, is_running

ROOT = Path(__file__).parents[2]


@pytest.fixture
def running() -> Iterator[list[Running]]:
    started: list[Running] = []
    yield started
    for each in started:
        each.kill()


def grow(running: list[Running], folder: Path, **kinds: str) -> Running:
    """Start a tree of dummies in a process of its own."""
    named = [f"{name}={kind}" for name, kind in kinds.items()]
    program = Program(
        name="tree",
        argv=[sys.executable, "-m", "tests.cli.dummies", folder, *named],
        environ={"PYTHONPATH": str(ROOT)},
        log=folder / "tree.log",
    )
    running.append(Running(program).start())
    return running[-1]


def pids(folder: Path, *names: str) -> list[int]:
    """Return the present process of each child, once all have been started."""
    files = [folder / f"{name}.pids" for name in names]
    eventually(lambda: all(f.exists() and f.read_text().strip() for f in files), f"{names} run")
    return [int(f.read_text().split()[-1]) for f in files]


def test_kill_9_of_the_parent_leaves_no_process_behind(
    running: list[Running], tmp_path: Path
) -> None:
    parent = grow(running, tmp_path, first="plain", second="stubborn", third="parent")
    children = pids(tmp_path, "first", "second", "third", "grandchild")

    parent.signal(signal.SIGKILL)

    eventually(lambda: not any(map(is_running, children)), "the children are gone")


def test_child_that_crashes_is_started_again_and_that_is_said(
    running: list[Running], tmp_path: Path
) -> None:
    parent = grow(running, tmp_path, first="plain", second="plain")
    [first, second] = pids(tmp_path, "first", "second")

    os.kill(first, signal.SIGKILL)

    eventually(lambda: pids(tmp_path, "first") != [first], "another first")
    assert "first ended (killed by SIGKILL); starting it again in 0.5 s" in parent.read_log()
    assert is_running(second)


def test_sigterm_ends_the_children_in_order_and_the_tree_with_0(
    running: list[Running], tmp_path: Path
) -> None:
    parent = grow(running, tmp_path, service="plain", worker="plain", engine="plain")
    children = pids(tmp_path, "service", "worker", "engine")

    code = parent.stop()

    assert code == 0
    assert (tmp_path / "ends").read_text().split() == ["service", "worker", "engine"]
    assert not any(map(is_running, children))


def test_second_ctrl_c_kills_what_does_not_stop(running: list[Running], tmp_path: Path) -> None:
    parent = grow(running, tmp_path, stubborn="stubborn")
    [child] = pids(tmp_path, "stubborn")

    parent.signal(signal.SIGINT)
    eventually((tmp_path / "ends").exists, "the child was asked")
    parent.signal(signal.SIGINT)

    assert parent.wait_until_gone(seconds=8) == 0  # less than the grace
    assert not is_running(child)
    assert "stubborn did not stop in time and was killed" in parent.read_log()


def test_child_that_was_configured_wrongly_is_not_tried_again(
    running: list[Running], tmp_path: Path
) -> None:
    parent = grow(running, tmp_path, first="plain", second="mistaken")

    code = parent.wait_until_gone()

    assert code == 1
    assert "second ended (exit code 2)" in parent.read_log()
    assert not is_running(pids(tmp_path, "first")[0])
