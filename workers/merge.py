"""The job that joins what providers said to the attempts they said it of, in bulk."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

from channels import AnyChannel
from kentongan.alert import Lane
from kentongan.channel import Callback
from kentongan.ids import AttemptRef
from kentongan.receipt import Receipt, ReceiptKind
from ledger import events, receipts, suppressions
from ledger.engine import read_now
from ledger.events import Event
from ledger.receipts import EventReceipt
from workers.runtime import JobContext, Runtime

log = logging.getLogger(__name__)

#: Events a transaction: on SQLite it holds the write lock under 20 ms.
PAGE = 100
#: Pages a job, and seconds in which one begins another; then it gives way and rings itself. A page
#: waits its turn among the bulk writers, and a job that runs for a minute is cut off.
_PAGES = 20
_GIVE_WAY = 5.0


async def merge(ctx: JobContext) -> None:
    """Join all events that wait.

    In the flash lane the latest is first: what rang has just come, and a million routine receipts
    may wait before it.
    """
    run, lane = ctx["runtime"], ctx["lane"]
    await run.queue.begin_merge(lane)
    if await merge_some(run, latest_first=lane is Lane.FLASH):
        await run.queue.ring_receipts(lane)


async def merge_some(run: Runtime, *, latest_first: bool = False) -> bool:
    """Join events page by page; True if more are left. `latest_first` waits for no bulk work.

    A page of failures that wait for our own outcomes holds up nothing that came after them.
    """
    last, until = "", monotonic() + _GIVE_WAY
    for _ in range(_PAGES):
        if monotonic() > until:
            return True
        page = await _merge_page(run, last, latest_first=latest_first)
        if len(page) < PAGE:
            return False
        last = page[-1].id
    return True


async def _merge_page(run: Runtime, after: str, *, latest_first: bool) -> Sequence[Event]:
    """Join one page; return its events."""
    both = {**run.practising, **run.channels}
    schedules = {name: channel.retry for name, channel in both.items()}
    async with run.ledger.bulk(urgent=latest_first) as db:
        waiting = await events.unjoined(db, PAGE, after, latest_first=latest_first)
        if not waiting:
            return ()
        found = [item for event in waiting for item in _read(run, event)]
        joined = await receipts.join(db, found, schedules)
        for channel, address in joined.opted_out:
            now = await read_now(db)
            await suppressions.suppress(
                db, channel, address, reason="opted_out", made_by="provider", now=now
            )
    run.metrics.joined(joined.verdicts)
    quarantined = joined.verdicts.get("quarantined", 0)
    if quarantined:
        log.warning("receipts fit no attempt", extra={"count": quarantined})
    return waiting


def _read(run: Runtime, event: Event) -> Iterator[EventReceipt]:
    """Read the receipts out of one event; an event without any still gets its verdict."""
    found: list[Receipt | None] = [*_receipts_of(run, event)]
    for receipt in found or [None]:
        yield EventReceipt(event=event.id, channel=event.channel, receipt=receipt)


def _receipts_of(run: Runtime, event: Event) -> Iterator[Receipt]:
    if event.kind in {"poll", "recall"}:
        yield _polled(event.payload, event.attempt)
        return
    channel = _teller(run, event)
    if channel is None:
        return
    callback = Callback.from_json(event.payload)
    yield from (report for report in channel.receipts(callback) if isinstance(report, Receipt))


def _teller(run: Runtime, event: Event) -> AnyChannel | None:
    """Return who said it; where that is not noted, or gone, the channel's first."""
    sides, name = (run.channels, run.practising), event.payload.get("provider", "")
    every = [one for side in sides for one in side.of(event.channel)]
    return next((one for one in every if one.provider == name), next(iter(every), None))


def _polled(payload: Mapping[str, Any], attempt: AttemptRef | None) -> Receipt:
    return Receipt(
        kind=ReceiptKind(payload["receipt"]),
        attempt=attempt,
        provider_id=payload["provider_id"],
        reason=payload["reason"],
        transient=payload["transient"],
        word=payload["word"],
        code=payload["code"],
    )
