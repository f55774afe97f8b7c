"""How the tests of the command line call it: as a process, with an environment of its own."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.process import ours
from tests.fakes.ledgers import Ledgers

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A data folder of the test's own, and ports that are free."""
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "KENTONGAN_DATA_DIR": str(tmp_path / "data"),
        "KENTONGAN_HTTP_PORT": "0",
        "KENTONGAN_SIMULATOR_PORT": "0",
    }


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledgers]:
    """Where ledgers come from; PostgreSQL starts at its first use."""
    made = Ledgers(tmp_path_factory.mktemp("templates"))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(
    request: pytest.FixtureRequest,
    ledgers: Ledgers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """An empty ledger on either engine, which a command called in this process finds."""
    fresh = asyncio.run(ledgers.fresh(request.param, tmp_path))
    monkeypatch.setenv("KENTONGAN_DATABASE_URL", fresh)
    monkeypatch.setenv("KENTONGAN_DATA_DIR", str(tmp_path / "data"))
    yield fresh
    asyncio.run(ledgers.drop(fresh))


@pytest.fixture
def kentongan(environ: dict[str, str], tmp_path: Path) -> Run:
    """Run `kentongan WORDS…` to its end; keyword arguments change the environment."""

    def run(*words: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ours(*words),
            env={**environ, **changes},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
