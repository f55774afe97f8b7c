"""Alerts to a few telephones on their way through a worker, and what became of each."""

import asyncio
from typing import Any

from ledger.engine import Ledger
from tests.fakes import asked
from tests.fakes.running import Running, expanded
from workers.runtime import Runtime


async def crowd(ledger: Ledger, count: int, **changes: Any) -> Running:
    people = {f"person {n}": [("sms", f"+{n}")] for n in range(count)}
    return await expanded(ledger, people, **{"channels": ("sms",), **changes})


async def rows(ledger: Ledger, running: Running) -> list[Any]:
    return [await asked.row_of(ledger, d.id) for d in running.page.deliveries]


async def works(ledger: Ledger, running: Running) -> list[str]:
    return [row.work for row in await rows(ledger, running)]


async def landed(run: Runtime) -> None:
    async with asyncio.timeout(60):
        while run.flights:
            await asyncio.wait(set(run.flights))
