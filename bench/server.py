"""One PostgreSQL for the whole run, durable as in production, with a fresh database each time."""

import asyncio
from urllib.parse import urlsplit

from ledger.migrate import upgrade
from tests.fakes.postgres import Postgres


class Server:
    """Starts at its first use. Give it back with `close()`."""

    def __init__(self) -> None:
        self._postgres: Postgres | None = None

    async def fresh(self) -> str:
        """Return the URL of an empty ledger."""
        if self._postgres is None:
            # Not in a thread: a server bound to its parent dies with the thread that started it.
            self._postgres = Postgres.running(durable=True)
        url = await asyncio.to_thread(self._postgres.create_database)
        await asyncio.to_thread(asyncio.run, upgrade(url))
        return url

    async def drop(self, url: str) -> None:
        """Remove a ledger."""
        if self._postgres is not None:
            name = urlsplit(url).path.lstrip("/")
            await asyncio.to_thread(self._postgres.drop_database, name)

    @property
    def pid(self) -> int | None:
        """The server's process; None where it does not run, or is not ours."""
        return self._postgres.pid if self._postgres else None

    def close(self) -> None:
        """Stop it."""
        if self._postgres is not None:
            self._postgres.close()
