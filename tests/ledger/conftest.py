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
async def ledger(
    request: pytest.FixtureRequest, ledgers: Ledgers, tmp_path: Path
) -> AsyncIterator[Ledger]:
    """An empty ledger with the present schema."""
    url = await ledgers.fresh(request.param, tmp_path)
    opened = Ledger.open(url, patience=SERVICE_PATIENCE)
    yield opened
    await opened.close()
    await ledgers.drop(url)
