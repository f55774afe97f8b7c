"""The tests' own PostgreSQL keeps the promises that the journeys build on."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cli.process import Program
from tests.fakes.postgres import Postgres
from tests.fakes.processes import Running, eventually, is_running


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres.running()
    yield server
    server.close()


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_database_can_be_copied_from_another(postgres: Postgres) -> None:
    await ask(postgres.create_database("pattern"), "CREATE TABLE drums (beats int)")

    copy = postgres.create_database(template="pattern")

    assert await ask(copy, "SELECT count(*) FROM drums") == 0


async def test_stopped_server_comes_back_at_the_same_url_with_its_data(postgres: Postgres) -> None:
    if not postgres.can_stop:
        pytest.skip("KENTONGAN_TEST_DATABASE_URL names a server that is not ours to stop")
    url = postgres.create_database()
    await ask(url, "CREATE TABLE drums (beats int)")
    await ask(url, "INSERT INTO drums VALUES (3)")

    for mode in ("fast", "immediate"):
        postgres.stop(mode)
        with pytest.raises(OSError, match=r"refused|failed"):
            await ask(url, "SELECT 1")
        postgres.start()

        assert await ask(url, "SELECT beats FROM drums") == 3


async def test_it_takes_nobody_without_the_password(postgres: Postgres) -> None:
    if not postgres.can_stop:
        pytest.skip("KENTONGAN_TEST_DATABASE_URL names a server that is not ours")
    url = postgres.url().replace("kentongan:", "kentongan:not-")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(url, "SELECT 1")


def test_it_dies_with_the_tests(tmp_path: Path) -> None:
    script = (
        "import time\nfrom tests.fakes.postgres import Postgres\n"
        "server = Postgres.running(environ={})\nprint(server.pid, server.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    root = str(Path(__file__).parents[2])
    tests = Running(
        Program(
            name="tests",
            argv=[sys.executable, "-c", script],
            environ={"PYTHONPATH": root},
            log=tmp_path / "log",
        )
    ).start()
    try:
        eventually(lambda: len(tests.read_log().split()) == 2, "the server runs")
        pid, folder = tests.read_log().split()

        tests.signal(signal.SIGKILL)

        eventually(lambda: not is_running(int(pid)), "the server is gone")
        Postgres.running(environ={}).close()
        assert not Path(folder).exists()  # what it left is swept by the next
    finally:
        tests.kill()
