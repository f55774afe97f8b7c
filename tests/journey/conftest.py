"""A world for all journeys on one engine; one that a journey left out of balance is replaced."""

import asyncio
from collections.abc import Iterator

import pytest

from ledger.migrate import upgrade
from tests.fakes.postgres import Postgres
from tests.journey.world import World


class Worlds:
    """The world of this test process, and the database server under it."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._engine = ""
        self._world: World | None = None
        self.postgres: Postgres | None = None

    def on(self, engine: str) -> World:
        """Return a world on `engine`, at the beginning of a journey."""
        if self._world and (self._engine != engine or not self._world.is_sound):
            self.close()
        if self._world is None:
            self._engine = engine
            self._world = self._new(engine).start()
        self._world.begin()
        return self._world

    def _new(self, engine: str) -> World:
        folder = self._folders.mktemp(f"world-{engine}")
        url = f"sqlite:///{folder / 'ledger.db'}"
        if engine == "postgresql":
            self.postgres = Postgres.running(durable=True)  # some journeys crash it
            url = self.postgres.create_database()
        asyncio.run(upgrade(url))
        return World(folder, url)

    def close(self) -> None:
        if self._world:
            self._world.close()
            self._world = None
        if self.postgres:
            self.postgres.close()
            self.postgres = None


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    made = Worlds(tmp_path_factory)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(worlds: Worlds, engine: str) -> World:
    """An installation at work: service, two workers, simulator."""
    return worlds.on(engine)
