"""Fresh ledgers on both engines, copied from one that was migrated once."""

import asyncio
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from ledger.engine import sqlite_path
from ledger.migrate import upgrade
from tests.fakes.postgres import Postgres


class Ledgers:
    """Makes them; PostgreSQL is started at its first use. Give it back with `close()`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres: Postgres | None = None
        self._template = ""

    async def fresh(self, engine: str, folder: Path) -> str:
        """Return the URL of an empty ledger; a SQLite one lies in `folder`."""
        if engine == "sqlite":
            return await self._sqlite(folder / "ledger.db")
        postgres = await self._server()
        return await asyncio.to_thread(postgres.create_database, None, self._template)

    async def bare(self, engine: str, folder: Path) -> str:
        """Return the URL of a database that was never migrated."""
        if engine == "sqlite":
            return f"sqlite:///{folder / 'bare.db'}"
        postgres = await self._server()
        return await asyncio.to_thread(postgres.create_database)

    async def drop(self, url: str) -> None:
        """Remove a ledger whose engines are disposed of."""
        if self._postgres and not url.startswith("sqlite"):
            name = urlsplit(url).path.lstrip("/")
            await asyncio.to_thread(self._postgres.drop_database, name)

    def close(self) -> None:
        """Stop what was started."""
        if self._postgres:
            self._postgres.close()

    async def _sqlite(self, path: Path) -> str:
        template = f"sqlite:///{self._folder / 'template.db'}"
        if not sqlite_path(template).exists():
            await asyncio.to_thread(asyncio.run, upgrade(template))
        shutil.copyfile(sqlite_path(template), path)
        return f"sqlite:///{path}"

    async def _server(self) -> Postgres:
        if self._postgres is None:
            # Not in a thread: a server bound to its parent dies with the thread that started it.
            self._postgres = Postgres.running()
            url = await asyncio.to_thread(self._postgres.create_database)
            await asyncio.to_thread(asyncio.run, upgrade(url))
            self._template = urlsplit(url).path.lstrip("/")
        return self._postgres
