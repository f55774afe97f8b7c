"""`kentongan up` is killed in mid-run: nothing of it stays, and the next run goes on."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.process import Program, ours
from tests.fakes.processes import Running, eventually, is_running
from tests.journey.alerts import an_alert, number
from tests.journey.client import Client
from tests.journey.ports import free_ports

pytestmark = pytest.mark.journey


class Up:
    """Runs of `kentongan up`, one after the other, on one data folder and the same ports."""

    def __init__(self, folder: Path) -> None:
        http, carrier, smtp = free_ports(3)
        self.carrier_url = f"http://127.0.0.1:{carrier}"
        self.data = folder / "data"
        self.environ = {
            "PATH": os.defpath,
            "LC_ALL": "C.UTF-8",
            "KENTONGAN_DATA_DIR": str(self.data),
            "KENTONGAN_HTTP_PORT": str(http),
            "KENTONGAN_SIMULATOR_PORT": str(carrier),
            "KENTONGAN_SIMULATOR_SMTP_PORT": str(smtp),
        }
        program = Program(name="up", argv=ours("up"), environ=self.environ, log=folder / "up.log")
        self.process = Running(program)
        self._url, self._starts = f"http://127.0.0.1:{http}", 0

    def start(self) -> Client:
        self._starts += 1
        self.process.start()
        self.process.wait_until_logged("Ctrl-C stops everything.", 60, times=self._starts)
        return Client(self._url, (self.data / "dev.key").read_text().strip())

    def children(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        if not listed.exists():
            pytest.skip("this kernel does not list a process's children")
        return [int(pid) for pid in listed.read_text().split()]

    def check(self) -> tuple[int, list[str]]:
        """Return the exit code of `kentongan ledger check`, and the kinds of fault it told."""
        done = subprocess.run(
            [*ours("ledger", "check"), "--simulator", self.carrier_url, "--json"],
            env=self.environ,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.returncode, [fault["kind"] for fault in json.loads(done.stdout)["faults"]]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path)
    yield made
    made.process.kill()


def test_killed_in_mid_run_it_leaves_no_process_and_the_next_run_goes_on(up: Up) -> None:
    api = up.start()
    points = [{"channel": "sms", "address": number(place)} for place in range(400)]
    answer = api.post("/v1/alerts", an_alert(points), Idempotency_Key="one")
    alert = f"/v1/alerts/{answer.body['id']}"
    _wait_until(api, alert, lambda states: states.get("delivered", 0) > 0)
    pids = up.children()

    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait_until_gone()
    eventually(lambda: not any(map(is_running, pids)), "all of the first run are gone")
    again = up.start()

    _wait_until(again, alert, lambda states: not states.keys() & {"waiting", "sending", "unknown"})
    assert up.check() == (0, [])

    with closing(sqlite3.connect(up.data / "ledger.db", timeout=10)) as meddler:
        meddler.execute("UPDATE attempts SET outcome = 'refused' WHERE rowid = 1")
        meddler.execute("UPDATE deliveries SET work = 'unknown' WHERE rowid = 2")
        meddler.commit()
    code, kinds = up.check()
    assert code == 9
    assert set(kinds) == {"work", "denied"}


def _wait_until(
    api: Client, alert: str, holds: Callable[[dict[str, int]], bool], seconds: float = 90
) -> None:
    deadline = time.monotonic() + seconds
    while not holds(states := _states(api, alert)):
        assert time.monotonic() < deadline, states
        time.sleep(0.2)


def _states(api: Client, alert: str) -> dict[str, int]:
    texts = api.get(alert)["counts"]["channels"].get("sms", {"states": {"waiting": 1}})
    return dict(texts["states"])
