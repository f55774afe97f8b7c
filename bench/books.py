"""Looks into a ledger from outside, past its own code, so that looking costs it nothing."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from ledger.engine import sqlite_path

_LOOK_EVERY = 0.02


class LateError(Exception):
    """An alert was not done in time; the message says how far it came."""


class Books:
    """One connection, each statement a transaction of its own; `$1` marks the first value."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.is_postgresql = not isinstance(connection, sqlite3.Connection)

    async def ask(self, query: str, *values: Any) -> Sequence[Any]:
        """Return the rows of a query."""
        if self.is_postgresql:
            found: Sequence[Any] = await self._connection.fetch(query, *values)
            return found
        return await asyncio.to_thread(self._read, query, values)

    async def do(self, statement: str) -> None:
        """Change something."""
        if self.is_postgresql:
            await self._connection.execute(statement, timeout=600)
        else:
            await asyncio.to_thread(self._connection.execute, statement)

    def numbers(self, first: int, last: int) -> str:
        """Return SQL for a table with one column `i`."""
        if self.is_postgresql:
            return f"generate_series({first}, {last}) AS n(i)"
        rest = f"SELECT i + 1 FROM n WHERE i < {last}"
        return f"(WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL {rest}) SELECT i FROM n)"

    async def until_sent(self, alert: str, seconds: float = 300) -> float:
        """Return the monotonic instant at which nothing of an alert waits or is on its way."""
        return await self._until(
            "SELECT p.stage = 'done' AND NOT EXISTS (SELECT 1 FROM deliveries d"
            " WHERE d.alert_id = p.alert_id AND d.state IN ('waiting', 'sending'))"
            " FROM alert_progress p WHERE p.alert_id = $1",
            alert,
            seconds,
        )

    async def until_expanded(self, alert: str, seconds: float = 300) -> float:
        """Return the monotonic instant at which all deliveries of an alert exist."""
        query = "SELECT stage = 'done' FROM alert_progress WHERE alert_id = $1"
        return await self._until(query, alert, seconds)

    async def states(self, alert: str) -> dict[str, int]:
        """Count the deliveries of an alert by what they show."""
        query = "SELECT state, count(*) FROM deliveries WHERE alert_id = $1 GROUP BY state"
        return dict(await self.ask(query, alert))

    async def _until(self, query: str, alert: str, seconds: float) -> float:
        deadline = time.monotonic() + seconds
        while True:
            began = time.monotonic()
            [(holds,)] = await self.ask(query, alert)
            if holds:
                return time.monotonic()
            if time.monotonic() > deadline:
                raise LateError(f"after {seconds:g} s: {await self.states(alert)}")
            # Looking may take a twentieth of the time, lest it slows down what it looks at.
            await asyncio.sleep(max(_LOOK_EVERY, 20 * (time.monotonic() - began)))

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        marked = query.replace("$", "?")
        return self._connection.execute(marked, values).fetchall()  # type: ignore[no-any-return]  # of Any


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Books]:
    """Open the ledger at `url`."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(
            sqlite_path(url), timeout=60, isolation_level=None, check_same_thread=False
        )
        try:
            yield Books(connection)
        finally:
            connection.close()
    else:
        client = await asyncpg.connect(url)
        try:
            yield Books(client)
        finally:
            await client.close()
