"""`kentongan up` as a whole, its children replaced by ones that only listen."""

import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.process import Program, ours
from kentongan.passwords import is_right
from tests.fakes.processes import Running, eventually, is_running

PACKAGE = "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n"
LISTENS = """
import asyncio
from aiohttp import web

async def ok(request):
    return web.Response()

async def run(settings, *more, stop):
    app = web.Application()
    app.router.add_get("/{any}", ok)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.http_port).start()
    await stop.wait()
    await runner.cleanup()
"""
WAITS = """
async def run(settings, environ, *, stop):
    await stop.wait()
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder of packages that come before the real ones."""
    folder = tmp_path / "stand-ins"
    for name, source in {"service": LISTENS, "simulator": LISTENS, "workers": WAITS}.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(PACKAGE)
        (folder / name / "main.py").write_text(source)
    return folder


@pytest.fixture
def ups(environ: dict[str, str], stand_ins: Path, tmp_path: Path) -> Iterator["Ups"]:
    made = Ups({**environ, "PYTHONPATH": str(stand_ins)}, tmp_path)
    yield made
    made.close()


class Ups:
    """Runs of `kentongan up`, all in one data folder."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ = environ
        self.folder = folder
        self._runs: list[Running] = []

    def start(self) -> Running:
        log = self.folder / f"up-{len(self._runs)}.log"
        program = Program(name="up", argv=ours("up"), environ=self.environ, log=log)
        self._runs.append(Running(program).start())
        self._runs[-1].wait_until_logged("Ctrl-C stops everything.", seconds=60)
        return self._runs[-1]

    def close(self) -> None:
        for run in self._runs:
            run.kill()


def children(up: Running) -> list[int]:
    listed = Path(f"/proc/{up.pid}/task/{up.pid}/children")
    if not listed.exists():
        pytest.skip("this kernel does not list a process's children")
    return [int(pid) for pid in listed.read_text().split()]


def test_it_tells_all_that_is_needed_to_send_the_first_alert(ups: Ups) -> None:
    told = ups.start().read_log()

    curl, look = (shlex.split(line) for line in told.splitlines() if line.startswith("curl "))
    key = (ups.folder / "data" / "dev.key").read_text().strip()
    assert f"Authorization: Bearer {key}" in curl
    assert f"Authorization: Bearer {key}" in look
    assert json.loads(curl[-1])["mode"] == "exercise"
    assert re.search(r"address +http://127\.0\.0\.1:\d+\n", told)
    assert f"API key    {key}\n" in told


def test_first_administrator_is_told_on_the_screen_once_and_nowhere_else(ups: Ups) -> None:
    first = ups.start()
    told = first.read_log()

    [password] = re.findall(r"login admin, password (\S+) ", told)
    assert is_right(password, administrators_hash(ups))
    first.stop()
    assert "login admin" not in ups.start().read_log()
    assert not [each for each in (ups.folder / "data").rglob("*") if holds(each, password)]


def administrators_hash(ups: Ups) -> str:
    with closing(sqlite3.connect(ups.folder / "data" / "ledger.db")) as db:
        [row] = db.execute("SELECT login, role, must_change, password_hash FROM users")
    assert row[:3] == ("admin", "admin", 1)
    return str(row[3])


def holds(path: Path, word: str) -> bool:
    return path.is_file() and word.encode() in path.read_bytes()


def test_channels_of_the_operators_own_make_the_example_a_test(ups: Ups) -> None:
    ups.environ["KENTONGAN_EMAIL_HOST"] = "127.0.0.1"
    ups.environ["KENTONGAN_EMAIL_SENDER"] = "alerts@example.org"

    told = ups.start().read_log()

    [curl, _] = [shlex.split(line) for line in told.splitlines() if line.startswith("curl ")]
    assert json.loads(curl[-1])["mode"] == "test"
    assert "REAL people" in told


def test_everything_that_lies_in_the_data_folder_is_its_owners_alone(ups: Ups) -> None:
    ups.start()

    data = ups.folder / "data"
    files = [each for each in data.iterdir() if not each.is_dir()]
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_sigterm_stops_everything_and_the_next_run_finds_it_again(ups: Ups) -> None:
    first = ups.start()
    pids = children(first)
    keys = [(ups.folder / "data" / name).read_text() for name in ("dev.key", "secret.key")]

    code = first.stop()
    ups.start()

    assert code == 0
    assert len(pids) == 5
    assert not any(map(is_running, pids))
    assert keys == [(ups.folder / "data" / name).read_text() for name in ("dev.key", "secret.key")]


def test_kill_9_leaves_nothing_and_the_next_run_starts_at_once(ups: Ups) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        ups.environ["KENTONGAN_HTTP_PORT"] = str(free.getsockname()[1])
    first = ups.start()
    pids = children(first)

    os.kill(first.pid, signal.SIGKILL)
    first.wait_until_gone()
    ups.start()  # on the same port, with the same Valkey's file

    eventually(lambda: not any(map(is_running, pids)), "all of the first run are gone")


def test_long_path_in_a_closed_folder_will_do(ups: Ups) -> None:
    ups.folder.chmod(0o700)
    far = ups.folder / ("far-from-the-root/" * 8) / "with blank"
    assert len(str(far)) > 120
    ups.environ["KENTONGAN_DATA_DIR"] = str(far)

    ups.start()

    assert (far / "ledger.db").exists()
