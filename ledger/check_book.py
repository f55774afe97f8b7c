"""Our ledger held against a carrier's own book: nothing lost, nothing doubled, nothing too late.

Of the book one small entry a record stays in memory (the simulator holds all of it anyway); of the
ledger only pages.
"""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select, tuple_

from kentongan.alert import Control
from kentongan.clock import Micros, seconds
from kentongan.settling import Resolution
from ledger.check_rules import Fault, FaultKind
from ledger.engine import Ledger
from ledger.schema import alerts, attempts, deliveries

PAGE = 500
#: What was begun before a stop may reach the carrier so long after it: a request's own time-out.
UNDER_WAY = seconds(10)

#: Outcomes that say: certainly not sent.
_UNSENT = frozenset({"refused", "deferred", "not_begun"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record of the carrier's: what it took, of which delivery, and when it failed there.

    `no` is None where the carrier is only told the delivery. `taken` is false where it heard of the
    message and refused it.
    """

    channel: str
    provider_id: str
    delivery: str
    no: int | None
    at: Micros
    failed_at: Micros | None
    taken: bool = True


@dataclass(slots=True)
class Comparison:
    """What was found; `repeats` are deliveries taken again under one id, which is allowed."""

    faults: list[Fault] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    """What the book has shown so far."""

    ids: set[tuple[str, str]] = field(default_factory=set)
    #: By delivery: the provider's id, and until when an earlier record stood (inf: it stands).
    standing: dict[str, tuple[str, float]] = field(default_factory=dict)


async def compare(
    ledger: Ledger, pages: AsyncIterator[Sequence[Entry]], channels: Sequence[str]
) -> Comparison:
    """Compare with a whole book, in its own order. Raises `LedgerAwayError`.

    `channels` are those that the carrier carries; everything on them must have gone there.
    """
    found, seen = Comparison(), _Seen()
    began = await ledger.now()  # what is settled later may not be in the pages that we read
    async for page in pages:
        known = await _known(ledger, page)
        for entry in page:
            found.faults += _faults_of(entry, known)
            _note(entry, seen, found)
    async for fault in _lost(ledger, seen, channels, began):
        found.faults.append(fault)
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger has about the deliveries of a page."""

    deliveries: dict[str, Any]
    attempts: dict[tuple[str, int], Any]


async def _known(ledger: Ledger, page: Sequence[Entry]) -> _Known:
    ids = sorted({entry.delivery for entry in page})
    async with ledger.read() as db:
        held = await db.execute(
            select(deliveries.c.id, alerts.c.control, alerts.c.control_at, alerts.c.expires_at)
            .join(alerts, alerts.c.id == deliveries.c.alert_id)
            .where(deliveries.c.id.in_(ids))
        )
        by_id = {row.id: row for row in held}
        tried = await db.execute(
            select(
                attempts.c.delivery_id,
                attempts.c.no,
                attempts.c.outcome,
                attempts.c.resolution,
                attempts.c.resolution_by,
            ).where(attempts.c.delivery_id.in_(ids))
        )
        return _Known(by_id, {(row.delivery_id, row.no): row for row in tried})


def _faults_of(entry: Entry, known: _Known) -> list[Fault]:
    delivery = known.deliveries.get(entry.delivery)
    subject = f"{entry.delivery}.{entry.no}" if entry.no else entry.delivery or entry.provider_id
    attempt = known.attempts.get((entry.delivery, entry.no)) if entry.no else None
    if delivery is None or (entry.no and attempt is None):
        said = f"the book has {entry.channel} {entry.provider_id}, of which we know nothing"
        return [Fault(kind=FaultKind.STRANGER, subject=subject, said=said)]
    found = []
    if entry.at > delivery.expires_at:
        late = f"{entry.channel} was sent after the alert had expired"
        found.append(Fault(kind=FaultKind.TOO_LATE, subject=subject, said=late))
    stopped = delivery.control == Control.STOPPED
    if stopped and entry.at > delivery.control_at + UNDER_WAY:
        late = f"{entry.channel} was sent long after the stop"
        found.append(Fault(kind=FaultKind.AFTER_STOP, subject=subject, said=late))
    if attempt is not None and entry.taken and _is_denied(attempt):
        said = f"the book has {entry.provider_id}; we have {attempt.outcome}/{attempt.resolution}"
        found.append(Fault(kind=FaultKind.DENIED, subject=subject, said=said))
    return found


def _is_denied(attempt: Any) -> bool:
    """Tell whether our record says that the carrier cannot have it."""
    return attempt.outcome in _UNSENT or attempt.resolution in {
        Resolution.NOT_BEGUN,
        Resolution.FAILED,
    }


def _note(entry: Entry, seen: _Seen, found: Comparison) -> None:
    """Remember an entry; say so where an earlier one of its delivery had not failed by then."""
    if not entry.taken:
        return
    seen.ids.add((entry.channel, entry.provider_id))
    earlier = seen.standing.get(entry.delivery)
    if earlier is not None and earlier[1] > entry.at:
        if earlier[0] == entry.provider_id:
            found.repeats.append(entry.delivery)
        else:
            said = f"{entry.channel}: {entry.provider_id} while {earlier[0]} had not failed"
            fault = Fault(kind=FaultKind.DOUBLED, subject=entry.delivery, said=said)
            found.faults.append(fault)
    until = math.inf if entry.failed_at is None else float(entry.failed_at)
    if earlier is None or until >= earlier[1]:
        seen.standing[entry.delivery] = (entry.provider_id, until)


async def _lost(
    ledger: Ledger, seen: _Seen, channels: Sequence[str], before: int
) -> AsyncIterator[Fault]:
    """Yield what was handed over, by our record, and is not in the book."""
    after = ("", 0)
    while True:
        page = (
            select(
                attempts.c.delivery_id,
                attempts.c.no,
                attempts.c.channel,
                attempts.c.provider_id,
            )
            .where(
                tuple_(attempts.c.delivery_id, attempts.c.no) > after,
                attempts.c.channel.in_(channels),
                or_(
                    (attempts.c.outcome == "accepted") & (attempts.c.outcome_at < before),
                    (attempts.c.resolution == Resolution.SETTLED)
                    & (attempts.c.resolution_at < before),
                ),
            )
            .order_by(attempts.c.delivery_id, attempts.c.no)
            .limit(PAGE)
        )
        async with ledger.read() as db:
            rows = (await db.execute(page)).all()
        for row in rows:
            held = row.provider_id
            there = (row.channel, held) in seen.ids if held else row.delivery_id in seen.standing
            if not there:
                said = f"{row.channel} {held or ''} was handed over and is not in the book"
                subject = f"{row.delivery_id}.{row.no}"
                yield Fault(kind=FaultKind.LOST, subject=subject, said=said)
        if len(rows) < PAGE:
            return
        after = (rows[-1].delivery_id, rows[-1].no)
