"""Everything is restarted in turn under load; and old processes work on with the new schema."""

import subprocess
import tarfile
import time
from io import BytesIO
from pathlib import Path

from tests.chaos.ordeal import NotPossibleError, Ordeal
from tests.chaos.stage import Stage
from tests.fakes.processes import Running

_ROOT = Path(__file__).resolve().parents[3]
_REVISIONS = "ledger/migrations/versions"


def restart(stage: Stage, count: int) -> None:
    """SIGTERM, wait for the end, start again; one process after the other."""
    world = stage.world
    with stage.load.flowing():
        for _ in range(count):
            for running in (world.service, *world.workers):
                time.sleep(stage.chance.uniform(0.5, 1.5))
                _stop(stage, running)
                stage.start(running)
            world.service.wait_until_ready()


def upgrade(stage: Stage, count: int) -> None:
    """Old and new processes take turns on the new schema, as in a deployment and its roll-back."""
    old = _old_code(stage.folder / "old")
    stage.up()
    world = stage.world
    new = [world.service, *world.workers]
    with stage.load.flowing():
        for _ in range(count):
            stage.strike("old code")
            for running in new:
                _stop(stage, running)
            theirs = [world.processes.serve(PYTHONPATH=str(old))]
            theirs += [world.processes.worker(PYTHONPATH=str(old)) for _ in new[1:]]
            for running in theirs:
                stage.start(running)
            theirs[0].wait_until_ready()
            time.sleep(stage.chance.uniform(3, 6))
            for before, after in zip(theirs, new, strict=True):
                _stop(stage, before)
                stage.start(after)
                time.sleep(1)
            world.service.wait_until_ready()


def _stop(stage: Stage, running: Running) -> None:
    stage.wait_until_at_work(running)  # until then a signal ends it as it ends any program
    stage.strike(running.name, running.pid)
    began = time.monotonic()
    code = running.stop(60)
    stage.beside["slowest end s"] = max(
        stage.beside.get("slowest end s", 0.0), time.monotonic() - began
    )
    if code:
        stage.blame(f"{running.name} ended with {code} when it was asked to stop")


def _old_code(folder: Path) -> Path:
    """Return the code as it was before the schema's last change; needs git and its history."""
    last = _git("log", "-1", "--diff-filter=A", "--format=%H", "--", f"{_REVISIONS}/*.py")
    packed = _git("archive", "--format=tar", f"{last.decode().strip()}^")
    with tarfile.open(fileobj=BytesIO(packed)) as tree:
        tree.extractall(folder, filter="data")
    if len(list((folder / _REVISIONS).glob("0*.py"))) == 0:
        raise NotPossibleError("there is no earlier schema")
    return folder


def _git(*command: str) -> bytes:
    done = subprocess.run(["git", "-C", str(_ROOT), *command], capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise NotPossibleError(f"git does not know the earlier code: {done.stderr.decode()[:200]}")
    return done.stdout


ORDEALS = [
    Ordeal(name="rolling restart", run=restart, cut=1, plain=3, full=20),
    Ordeal(name="rolling upgrade", run=upgrade, plain=3, full=20, starts=False),
]
