"""Receipts that come together share a transaction, and each caller learns what became of its own."""

import asyncio
from pathlib import Path

import pytest
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


async def test_each_caller_is_told_that_the_ledger_is_away(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/nowhere/ledger.db", patience=0.2)
    group = EventGroup()

    said = await asyncio.gather(
        *(group.keep(ledger, an_event(no)) for no in range(3)), return_exceptions=True
    )

    assert [type(answer) for answer in said] == [LedgerAwayError] * 3
    with pytest.raises(LedgerAwayError):
        await group.keep(ledger, an_event(4))
    await ledger.close()
