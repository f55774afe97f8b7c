"""A delivery is locked before its attempts, so that no two writers wait for each other."""

import asyncio
from typing import Any

import pytest

from kentongan.delivery import State, Work
from kentongan.ids import AlertId, AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.receipt import RANK, Receipt, ReceiptKind
from ledger import events
from ledger.dialect import is_postgresql, lock_alert
from ledger.engine import Ledger, read_now
from ledger.receipts import EventReceipt, join
from ledger.responses import respond
from ledger.settle import Settled, settle
from tests.fakes import asked

ROUNDS = 12
EACH = 20


async def _receipts(ledger: Ledger, ones: list[DeliveryId]) -> None:
    async with ledger.bulk() as db:
        found = []
        for one in ones:
            event = await events.keep(db, channel="sms", kind="status", payload={})
            receipt = Receipt(kind=ReceiptKind.SENT, attempt=AttemptRef(one, 1), word="sent")
            found.append(EventReceipt(event=event, channel="sms", receipt=receipt))
        await join(db, found, {})


async def _answers(ledger: Ledger, ones: list[DeliveryId]) -> None:
    for one in ones:
        async with ledger.write() as db:
            await respond(db, one, "1", via="page", now=await read_now(db))


async def _outcomes(ledger: Ledger, alert: AlertId, ones: list[DeliveryId]) -> None:
    """Settle as it comes: not in order, and what is plain among what is not."""
    said: list[dict[str, Any]] = [
        {"outcome": "accepted", "work": Work.SETTLED},
        {"outcome": "refused", "work": Work.FAILED, "reason": Reason.NO_ROUTE},
    ]
    settled = [
        Settled(attempt=AttemptRef(one, 1), alert_id=alert, channel="sms", **said[at % 2])
        for at, one in enumerate(reversed(ones))
    ]
    async with ledger.bulk() as db:
        assert await settle(db, settled) == 0


async def test_receipts_and_answers_do_not_wait_for_each_other(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    tries: list[dict[str, object]] = [{"outcome": "unknown"}, {"outcome": "unknown", "ask_at": 1}]
    for round_ in range(ROUNDS):
        ones = [
            await asked.delivery(
                ledger, alert, work=Work.UNKNOWN, tries=tries, address=f"+{round_}-{n}"
            )
            for n in range(EACH)
        ]

        await asyncio.gather(_receipts(ledger, ones), _answers(ledger, ones))  # or it raises

        states = {(await asked.row_of(ledger, one)).state for one in ones}
        assert states == {State.ACKNOWLEDGED}


async def test_outcomes_and_receipts_do_not_wait_for_each_other(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    for round_ in range(ROUNDS):
        ones = [
            await asked.delivery(
                ledger, alert, work=Work.ATTEMPTING, tries=[{}], address=f"+{round_}-{n}"
            )
            for n in range(EACH)
        ]

        await asyncio.gather(_outcomes(ledger, alert, ones), _receipts(ledger, ones))  # likewise

        receipts = {(await asked.attempt_row(ledger, AttemptRef(one, 1))).receipt for one in ones}
        assert receipts == {RANK[ReceiptKind.SENT]}


async def test_settle_that_waits_for_its_alert_holds_no_row(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[{}])

    said = Settled(
        attempt=AttemptRef(one, 1),
        alert_id=alert,
        channel="sms",
        outcome="accepted",
        work=Work.SETTLED,
    )

    async def settling() -> int:
        async with ledger.bulk() as db:
            return await settle(db, [said])

    async with ledger.write() as db:
        if not is_postgresql(db):
            pytest.skip("SQLite has one writer at a time")
        await lock_alert(db, alert, exclusive=True)
        waiting = asyncio.create_task(settling())
        async with asyncio.timeout(10), ledger.write() as looking:
            query = "SELECT 1 FROM pg_locks WHERE NOT granted"
            while not (await looking.exec_driver_sql(query)).first():
                await asyncio.sleep(0.01)
            free = "SELECT id FROM deliveries ORDER BY id FOR UPDATE NOWAIT"
            assert (await looking.exec_driver_sql(free)).all()
    assert await waiting == 0
