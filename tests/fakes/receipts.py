"""Receipts as a provider tells them of attempts in the ledger, and their join."""

from collections.abc import Sequence
from typing import Any

from kentongan.ids import AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.receipt import RANK, Receipt, ReceiptKind
from kentongan.retry import RetrySchedule
from ledger import events
from ledger.engine import Ledger
from ledger.receipts import EventReceipt, Joined, join
from tests.fakes import asked

SCHEDULES = {"sms": RetrySchedule(waits=(30, 60), jitter=0)}
ID = "SM1"
ACCEPTED = {"outcome": "accepted", "provider_id": ID, "receipt": RANK[ReceiptKind.ACCEPTED]}


def says(
    kind: ReceiptKind, one: DeliveryId | None, no: int = 1, *, transient: bool = False, **more: Any
) -> Receipt:
    failed = kind is ReceiptKind.FAILED
    dull: dict[str, Any] = {
        "kind": kind,
        "attempt": AttemptRef(one, no) if one else None,
        "provider_id": ID if no == 1 else f"SM{no}",
        "word": str(kind),
        "reason": (Reason.UNREACHABLE if transient else Reason.NO_ROUTE) if failed else None,
        "transient": transient,
    }
    return Receipt(**dull | more)


async def told(ledger: Ledger, *said: Receipt | None, at_once: bool = True) -> list[str]:
    """Keep each receipt in an event and join them; return the events' ids."""
    async with ledger.write() as db:
        ids = [await events.keep(db, channel="sms", kind="status", payload={}) for _ in said]
    pages = [list(zip(ids, said, strict=True))]
    if not at_once:
        pages = [[pair] for pair in pages[0]]
    for page in pages:
        await joined(ledger, page)
    return ids


async def joined(ledger: Ledger, page: Sequence[tuple[str, Receipt | None]]) -> Joined:
    found = [EventReceipt(event=event, channel="sms", receipt=each) for event, each in page]
    async with ledger.bulk() as db:
        return await join(db, found, SCHEDULES)


async def sent(ledger: Ledger, *, lives: float = 3600, **changes: Any) -> DeliveryId:
    """Write down a delivery whose one attempt was accepted."""
    alert = await asked.alert(ledger, lives=lives)
    return await asked.delivery(ledger, alert, **{"tries": [ACCEPTED], **changes})
