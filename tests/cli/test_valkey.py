import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.process import Program
from cli.rundir import LONGEST_SOCKET_PATH, UnsafeFolderError, make_private
from cli.valkey import Valkey, ask
from tests.fakes.processes import Running, eventually, is_running
from tests.fakes.valkey import PrivateValkey

PARENT = """
import sys, time
from pathlib import Path
from cli.valkey import Valkey
valkey = Valkey(Path(sys.argv[1]), {})
valkey.start()
valkey.wait_until_ready()
print(valkey.pid, flush=True)
time.sleep(600)
"""


class Other:
    """A Valkey that another process has started."""

    def __init__(self, data: Path) -> None:
        argv = [sys.executable, "-c", PARENT, str(data)]
        log = data / "parent.log"
        self.parent = Running(Program(name="parent", argv=argv, environ={}, log=log)).start()
        eventually(lambda: self.parent.read_log().strip().isdigit(), "the other Valkey answers")
        self.pid = int(self.parent.read_log())

    def close(self) -> None:
        self.parent.kill()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    made = Valkey(tmp_path, {})
    yield made
    made.ask_to_stop()
    made.wait_until_gone()


@pytest.fixture
def short() -> Iterator[dict[str, str]]:
    """An environment with a short runtime folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="k-") as folder:
        yield {"XDG_RUNTIME_DIR": folder}


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    with closing(Other(tmp_path)) as other:
        other.parent.signal(signal.SIGKILL)

        eventually(lambda: not is_running(other.pid), "it is gone")


def test_successor_of_a_killed_parent_starts_at_once_with_all_that_was_there(
    tmp_path: Path, valkey: Valkey
) -> None:
    with closing(Other(tmp_path)) as other:
        assert ask(valkey.socket, "SET drum beaten") == "+OK\r\n"
        other.parent.signal(signal.SIGKILL)

        valkey.start()
        valkey.wait_until_ready()

        assert valkey.pid not in (None, other.pid)
        assert "beaten" in ask(valkey.socket, "GET drum")


def test_one_that_lives_is_adopted(tmp_path: Path, valkey: Valkey) -> None:
    with closing(Other(tmp_path)) as other:
        valkey.start()

        assert valkey.is_ready()
        assert valkey.pid is None  # it is the other's child, and stays so
        assert is_running(other.pid)


def test_one_that_was_adopted_and_ends_is_replaced(tmp_path: Path, valkey: Valkey) -> None:
    with closing(Other(tmp_path)) as other:
        valkey.start()
        other.parent.kill()
        eventually(lambda: not valkey.is_alive(), "its end is seen")

        valkey.start()
        valkey.wait_until_ready()

        assert valkey.pid is not None


def test_kill_9_loses_nothing_that_was_answered() -> None:
    with PrivateValkey() as server:
        for n in range(100):
            assert server.ask(f"RPUSH drums {n}") == f":{n + 1}\r\n"

        server.kill()
        server.start()

        assert server.ask("LLEN drums") == ":100\r\n"


def test_it_is_set_up_so_that_no_job_is_evicted_or_forgotten() -> None:
    with PrivateValkey() as server:
        assert "noeviction" in server.ask("CONFIG GET maxmemory-policy")
        assert "yes" in server.ask("CONFIG GET appendonly")
        assert "700" in server.ask("CONFIG GET unixsocketperm")


@pytest.mark.parametrize("folder", ["far/" * 40 + "away", "with blank é \"'", "n" * 200])
def test_any_folder_will_do(tmp_path: Path, short: dict[str, str], folder: str) -> None:
    data = tmp_path / folder
    data.mkdir(parents=True, mode=0o700)
    server = Valkey(data, short)

    server.start()
    server.wait_until_ready()
    try:
        assert ask(server.socket, "SET drum beaten") == "+OK\r\n"
        assert len(str(server.socket).encode()) <= LONGEST_SOCKET_PATH
        assert list((data / "valkey" / "appendonlydir").iterdir())
    finally:
        server.ask_to_stop()
        server.wait_until_gone()


def test_short_stand_in_of_a_long_folder_is_found_again(
    tmp_path: Path, short: dict[str, str]
) -> None:
    far = tmp_path / ("far/" * 40)

    assert Valkey(far, short).url == Valkey(far, short).url
    assert Valkey(far, short).url != Valkey(far / "b", short).url


def test_stand_in_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    opened.mkdir()
    opened.chmod(0o777)

    with pytest.raises(UnsafeFolderError, match="not a private folder"):
        make_private(opened)
