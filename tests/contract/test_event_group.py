"""Receipts that come together share a transaction; each caller learns what became of its own."""

import asyncio
import sqlite3
from pathlib import Path

from sqlalchemy import func, select

from ledger.engine import Ledger, LedgerAwayError
from ledger.events import NewEvent
from ledger.schema import provider_events
from service.event_group import EventGroup


def an_event(no: int) -> NewEvent:
    return NewEvent(channel="sms", kind="status", payload={"no": no})


async def test_events_that_come_together_are_all_kept(ledger: Ledger) -> None:
    group = EventGroup()

    await asyncio.gather(*(group.keep(ledger, an_event(no)) for no in range(250)))

    async with ledger.read() as db:
        kept = await db.scalar(select(func.count()).select_from(provider_events))
    assert kept == 250


async def test_each_caller_is_told_that_the_ledger_is_away(ledger: Ledger, tmp_path: Path) -> None:
    group = EventGroup()
    ledger.patience = 0.2
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    said = await asyncio.gather(
        *(group.keep(ledger, an_event(no)) for no in range(3)), return_exceptions=True
    )
    other.execute("ROLLBACK")
    other.close()
    await group.keep(ledger, an_event(4))

    assert [type(answer) for answer in said] == [LedgerAwayError] * 3
    async with ledger.read() as db:
        assert await db.scalar(select(func.count()).select_from(provider_events)) == 1


async def test_event_that_cannot_be_kept_takes_no_other_with_it(ledger: Ledger) -> None:
    group = EventGroup()
    unwritable = NewEvent(channel="sms", kind="status", payload={"no": object()})

    async with asyncio.timeout(10):
        said = await asyncio.gather(
            group.keep(ledger, an_event(1)),
            group.keep(ledger, unwritable),
            group.keep(ledger, an_event(2)),
            return_exceptions=True,
        )
        await group.keep(ledger, an_event(3))

    assert [answer is None for answer in said] == [True, False, True]
    async with ledger.read() as db:
        assert await db.scalar(select(func.count()).select_from(provider_events)) == 3
