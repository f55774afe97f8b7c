"""A world for each journey, on both engines."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.ledgers import Ledgers
from tests.journey.world import World


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledgers]:
    made = Ledgers(tmp_path_factory.mktemp("templates"))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, ledgers: Ledgers, tmp_path: Path) -> Iterator[str]:
    """An empty database with the present schema."""
    fresh = asyncio.run(ledgers.fresh(request.param, tmp_path))
    yield fresh
    asyncio.run(ledgers.drop(fresh))


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """An installation at work: service, two workers, simulator."""
    with World(tmp_path, database_url) as made:
        yield made.start()
