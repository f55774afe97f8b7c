"""A fresh ledger for each test, on both engines."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ledger.engine import SERVICE_PATIENCE, Ledger
from tests.fakes.ledgers import Ledgers


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledgers]:
    """Where ledgers come from; PostgreSQL starts at its first use."""
    made = Ledgers(tmp_path_factory.mktemp("templates"))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(
    request: pytest.FixtureRequest, ledgers: Ledgers, tmp_path: Path
) -> AsyncIterator[str]:
    """An empty database with the present schema."""
    fresh = await ledgers.fresh(request.param, tmp_path)
    yield fresh
    await ledgers.drop(fresh)


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    opened = Ledger.open(url, patience=SERVICE_PATIENCE)
    yield opened
    await opened.close()


@pytest.fixture
async def later(url: str) -> AsyncIterator[Ledger]:
    """The same ledger, two days later."""
    opened = Ledger.open(url, patience=SERVICE_PATIENCE, clock_offset=2 * 86_400)
    yield opened
    await opened.close()
