"""A delivery is locked before its attempts, so that no two writers wait for each other."""

import asyncio

from kentongan.delivery import State, Work
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.receipt import Receipt, ReceiptKind
from ledger import events
from ledger.engine import Ledger, read_now
from ledger.receipts import EventReceipt, join
from ledger.responses import respond
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
