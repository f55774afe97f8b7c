import fcntl
import socket
import stat
from pathlib import Path

import pytest

from cli.folder import kept, prepare
from cli.process import rotate
from tests.cli.conftest import Run


@pytest.mark.parametrize("variable", ["KENTONGAN_HTTP_PORT", "KENTONGAN_SIMULATOR_PORT"])
def test_port_in_use_is_one_sentence_that_names_the_variable(kentongan: Run, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        done = kentongan("up", **{variable: port})

    assert done.returncode == 2
    assert done.stderr == (
        f"kentongan: Port {port} on 127.0.0.1 cannot be used (Address already in use);"
        f" set {variable} to another one.\n"
    )
    assert not done.stdout


def test_second_up_in_one_data_folder_is_refused(kentongan: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    prepare(data)
    with (data / "up.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)

        done = kentongan("up")

    assert done.returncode == 2
    assert f"already runs in {data} (process 4711)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_data_folder_is_closed_to_others(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    data.mkdir(parents=True, mode=0o755)

    prepare(data)

    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = kept(tmp_path / "dev.key", lambda: "first")
    second = kept(tmp_path / "dev.key", lambda: "second")

    assert first == second == "first"
    assert stat.S_IMODE((tmp_path / "dev.key").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["dev.key"]


def test_logs_of_the_last_three_runs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    for run in range(6):
        rotate(log)
        log.write_text(str(run))

    kept_logs = {each.name: each.read_text() for each in tmp_path.iterdir()}

    assert kept_logs == {
        "service.log": "5",
        "service.log.1": "4",
        "service.log.2": "3",
        "service.log.3": "2",
    }
