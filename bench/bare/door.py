"""The bare door: checks a request, inserts one row as durably as the ledger does, answers.

`python -m bench.bare.door PORT accept|receipts DATABASE_URL [AUTH_TOKEN]`. What an engineer would
write who had one table and nothing else to promise: no keys of callers, no repeats, no audit.
Under /cpu it tells how many seconds of CPU it has used.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import aiosqlite
import asyncpg
from aiohttp import web
from twilio.request_validator import RequestValidator
from uvloop import new_event_loop

from kentongan.ids import new_id
from service.api.alert_bodies import NewAlert

_TABLE = "CREATE TABLE IF NOT EXISTS bare_rows (id text PRIMARY KEY, body text NOT NULL)"
_Handler = Callable[[web.Request], Awaitable[web.Response]]


class Shelf(Protocol):
    """Where rows are put; whatever was put is on the disk."""

    async def put(self, row_id: str, body: str) -> None:
        """Insert one row and commit."""


class PostgresqlShelf:
    """A pool as large as the ledger's."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def put(self, row_id: str, body: str) -> None:
        await self._pool.execute("INSERT INTO bare_rows VALUES ($1, $2)", row_id, body)


class SqliteShelf:
    """One connection, as SQLite has one writer; its thread takes one statement after another."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def put(self, row_id: str, body: str) -> None:
        await self._connection.execute_insert("INSERT INTO bare_rows VALUES (?, ?)", (row_id, body))


async def _opened(url: str) -> Shelf:
    if url.startswith("postgresql"):
        pool = await asyncpg.create_pool(url, min_size=10, max_size=20)
        await pool.execute(_TABLE)
        return PostgresqlShelf(pool)
    # A file of its own, for the ledger's has one writer.
    beside = Path(url.removeprefix("sqlite:///")).with_name("bare.db")
    connection = await aiosqlite.connect(beside, isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _TABLE):
        await connection.execute(statement)
    return SqliteShelf(connection)


def accepting(shelf: Shelf) -> _Handler:
    """Return a handler that takes an alert."""

    async def accept(request: web.Request) -> web.Response:
        alert = NewAlert.model_validate_json(await request.read())
        alert_id = new_id("alert")
        await shelf.put(alert_id, alert.model_dump_json(exclude_unset=True))
        return web.json_response({"id": alert_id}, status=202)

    return accept


def receiving(shelf: Shelf, token: str) -> _Handler:
    """Return a handler that takes a provider's report, if the provider signed it."""
    validator = RequestValidator(token)

    async def receive(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        url = f"http://{request.host}{request.raw_path}"
        signature = request.headers["X-Twilio-Signature"]
        if not validator.validate(url, dict(parse_qsl(body)), signature):
            return web.Response(status=403)
        await shelf.put(new_id("event"), f"{request.raw_path}\n{body}")
        return web.Response()

    return receive


async def serve(kind: str, port: int, url: str, token: str) -> None:
    """Serve until killed."""
    shelf = await _opened(url)
    app = web.Application()
    handler = accepting(shelf) if kind == "accept" else receiving(shelf, token)
    app.router.add_post("/{path:.*}", handler)
    app.router.add_get("/cpu", _cpu)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def _cpu(_request: web.Request) -> web.Response:
    return web.json_response(time.process_time())


if __name__ == "__main__":
    _, _port, _kind, _url, *_token = sys.argv
    with asyncio.Runner(loop_factory=new_event_loop) as runner:  # as the service runs
        runner.run(serve(_kind, int(_port), _url, "".join(_token)))
