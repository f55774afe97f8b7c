"""A service on loopback over a ledger of its own, keys to call it with, and a queue."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kentongan.access import Role
from ledger.engine import SERVICE_PATIENCE, Ledger
from service.wiring import House
from tests.fakes.house import Client, Headers, key_of, made_house, serving
from tests.fakes.ledgers import Ledgers
from tests.fakes.valkey import PrivateValkey
from workers.queue import Queue


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledgers]:
    """Where ledgers come from."""
    made = Ledgers(tmp_path_factory.mktemp("templates"))
    yield made
    made.close()


@pytest.fixture
async def ledger(ledgers: Ledgers, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger; which engine makes no difference above `ledger/`, so the quick one."""
    opened = Ledger.open(await ledgers.fresh("sqlite", tmp_path), patience=SERVICE_PATIENCE)
    yield opened
    await opened.close()


@pytest.fixture
def house(ledger: Ledger) -> House:
    return made_house(ledger)


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with serving(house) as ready:
        yield ready


@pytest.fixture
async def admin(ledger: Ledger) -> Headers:
    """Headers of an administrator's key, all modes."""
    return await key_of(ledger, Role.ADMIN)


@pytest.fixture
async def officer(ledger: Ledger) -> Headers:
    return await key_of(ledger, Role.OFFICER)


@pytest.fixture
async def auditor(ledger: Ledger) -> Headers:
    return await key_of(ledger, Role.AUDITOR)


@pytest.fixture
async def integration(ledger: Ledger) -> Headers:
    """Headers of a key for another system, granted the group `north`."""
    return await key_of(ledger, Role.INTEGRATION, groups=("north",))


@pytest.fixture(scope="module")
def valkey() -> Iterator[PrivateValkey]:
    with PrivateValkey() as running:
        yield running


@pytest.fixture
async def queue(valkey: PrivateValkey) -> AsyncIterator[Queue]:
    valkey.flush()
    opened = Queue.open(valkey.url)
    yield opened
    await opened.close()
