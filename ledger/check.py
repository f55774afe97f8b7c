"""Do the books balance? Every delivery, person and sum is looked at, in pages; reads only.

A page and what belongs to it is one statement, so that a ledger at work raises no false alarm.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ScalarSelect, Select, Subquery, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from kentongan.caps import HELD_BY_A_CAP
from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.keyring import Keyring
from ledger import audit
from ledger.check_rules import Fault, FaultKind, Kept, Tried, faults_of
from ledger.check_sums import sums
from ledger.engine import Ledger, read_now
from ledger.schema import (
    alert_people,
    alert_progress,
    alerts,
    attempts,
    deliveries,
    delivery_people,
    provider_events,
)
from ledger.schema_people import suppressions

PAGE = 500
#: Faults that are told; whoever has more has one cause, and these are enough to find it.
MOST = 1000
#: Seconds after which what a provider said should have been joined.
JOINED_WITHIN = 60


async def check(ledger: Ledger, keyring: Keyring | None = None) -> list[Fault]:
    """Return what does not add up, at most `MOST`; the audit's chain too, given its key.

    Raises `LedgerAwayError`.
    """
    found: list[Fault] = []
    async for fault in faults(ledger, keyring):
        found.append(fault)
        if len(found) == MOST:
            break
    return found


async def faults(ledger: Ledger, keyring: Keyring | None = None) -> AsyncIterator[Fault]:
    """Go through the whole ledger, alert by alert."""
    async for alert_id in _alerts(ledger):
        async for fault in _deliveries(ledger, alert_id):
            yield fault
        async for fault in _people(ledger, alert_id):
            yield fault
        async with ledger.read() as db:
            for fault in await sums(db, alert_id):
                yield fault
    async with ledger.read() as db:
        for fault in await _unjoined(db):
            yield fault
    if keyring is not None:
        verdict = await audit.verify(ledger, keyring)
        if verdict.broken_at is not None:
            said = f"the chain does not hold from link {verdict.broken_at} on"
            yield Fault(kind=FaultKind.AUDIT, subject=str(verdict.broken_at), said=said)


async def _alerts(ledger: Ledger) -> AsyncIterator[str]:
    after = ""
    while True:
        async with ledger.read() as db:
            page = select(alerts.c.id).where(alerts.c.id > after).order_by(alerts.c.id).limit(PAGE)
            found = (await db.execute(page)).scalars().all()
        for alert_id in found:
            yield alert_id
        if len(found) < PAGE:
            return
        after = found[-1]


async def _deliveries(ledger: Ledger, alert_id: str) -> AsyncIterator[Fault]:
    after = ""
    while True:
        async with ledger.read() as db:
            now = await read_now(db)
            page = list(_kept((await db.execute(_delivery_page(alert_id, after))).all()))
            shared = await _shared_ids(db, page)
        for kept in page:
            for fault in faults_of(kept, now):
                yield fault
        for fault in shared:
            yield fault
        if len(page) < PAGE:
            return
        after = page[-1].id


def _delivery_page(alert_id: str, after: str) -> Select[Any]:
    page = (
        select(deliveries)
        .where(deliveries.c.alert_id == alert_id, deliveries.c.id > after)
        .order_by(deliveries.c.id)
        .limit(PAGE)
        .subquery("page")
    )
    return (
        select(
            page.c.id,
            page.c.work,
            page.c.attempts.label("counted"),
            page.c.due_at,
            page.c.reason,
            page.c.response,
            exists().where(delivery_people.c.delivery_id == page.c.id).label("peopled"),
            _suppressed_at(page).label("suppressed_at"),
            alerts.c.control,
            alerts.c.control_at,
            alerts.c.expires_at,
            alert_progress.c.closed_at,
            attempts.c.no,
            attempts.c.opened_at,
            attempts.c.outcome,
            attempts.c.resolution,
            attempts.c.receipt,
            attempts.c.failed_once,
            attempts.c.provider_id,
        )
        .select_from(page)
        .join(alerts, alerts.c.id == page.c.alert_id)
        .join(alert_progress, alert_progress.c.alert_id == page.c.alert_id)
        .outerjoin(attempts, attempts.c.delivery_id == page.c.id)
        .order_by(page.c.id, attempts.c.no)
    )


def _suppressed_at(page: Subquery) -> ScalarSelect[Any]:
    return (
        select(suppressions.c.made_at)
        .where(
            suppressions.c.channel == page.c.channel,
            suppressions.c.address == page.c.address,
            suppressions.c.lifted_at.is_(None),
        )
        .scalar_subquery()
    )


def _kept(rows: Sequence[Any]) -> Iterator[Kept]:
    for delivery_id, group in groupby(rows, key=lambda row: row.id):
        same = list(group)
        first = same[0]
        yield Kept(
            id=delivery_id,
            work=Work(first.work),
            attempts=first.counted,
            due=first.due_at is not None,
            response=first.response is not None,
            peopled=bool(first.peopled),
            closed=first.closed_at is not None,
            stopped_at=first.control_at if first.control == Control.STOPPED else None,
            expires_at=first.expires_at,
            suppressed_at=first.suppressed_at,
            held=first.reason in HELD_BY_A_CAP,
            tried=[_tried(row) for row in same if row.no is not None],
        )


def _tried(row: Any) -> Tried:
    return Tried(
        no=row.no,
        opened_at=row.opened_at,
        outcome=row.outcome,
        resolution=row.resolution,
        receipt=row.receipt,
        failed_once=bool(row.failed_once),
        provider_id=row.provider_id,
    )


async def _shared_ids(db: AsyncConnection, page: Sequence[Kept]) -> list[Fault]:
    """Find provider's ids that other attempts hold as well.

    An id that we made ourselves, out of the delivery's, is shared by its attempts and by no other.
    """
    ids = {tried.provider_id for kept in page for tried in kept.tried if tried.provider_id}
    if not ids:
        return []
    rows = await db.execute(
        select(attempts.c.channel, attempts.c.provider_id, attempts.c.delivery_id, attempts.c.no)
        .where(attempts.c.provider_id.in_(sorted(ids)))
        .order_by(attempts.c.channel, attempts.c.provider_id, attempts.c.delivery_id)
    )
    found = []
    for (_, provider_id), group in groupby(rows, key=lambda r: (r.channel, r.provider_id)):
        holders = list(group)
        own = all(row.delivery_id in provider_id for row in holders)
        if len(holders) > 1 and not own:
            where = ", ".join(f"{row.delivery_id}.{row.no}" for row in holders[:5])
            said = f"{provider_id} is held by {where}"
            fault = Fault(kind=FaultKind.SHARED_ID, subject=holders[0].delivery_id, said=said)
            found.append(fault)
    return found


async def _people(ledger: Ledger, alert_id: str) -> AsyncIterator[Fault]:
    after = ""
    while True:
        async with ledger.read() as db:
            page = (await db.execute(_people_page(alert_id, after))).all()
        for row in page:
            if row.links != row.theirs or (row.cause is None) != (row.links > 0):
                said = f"cause {row.cause}, {row.links} links to {row.theirs} deliveries"
                yield Fault(kind=FaultKind.PERSON, subject=row.id, said=said)
        if len(page) < PAGE:
            return
        after = page[-1].id


def _people_page(alert_id: str, after: str) -> Select[Any]:
    """Count the links of each person, and how many of them lead to a delivery of this alert."""
    page = (
        select(alert_people.c.id, alert_people.c.cause)
        .where(alert_people.c.alert_id == alert_id, alert_people.c.id > after)
        .order_by(alert_people.c.id)
        .limit(PAGE)
        .subquery("page")
    )
    of_this = (deliveries.c.id == delivery_people.c.delivery_id) & (
        deliveries.c.alert_id == alert_id
    )
    return (
        select(
            page.c.id,
            page.c.cause,
            func.count(delivery_people.c.delivery_id).label("links"),
            func.count(deliveries.c.id).label("theirs"),
        )
        .select_from(
            page.outerjoin(delivery_people, delivery_people.c.person_id == page.c.id).outerjoin(
                deliveries, of_this
            )
        )
        .group_by(page.c.id, page.c.cause)
        .order_by(page.c.id)
    )


async def _unjoined(db: AsyncConnection) -> list[Fault]:
    long_ago = await read_now(db) - seconds(JOINED_WITHIN)
    rows = await db.execute(
        select(provider_events.c.id, provider_events.c.kind)
        .where(provider_events.c.joined_at.is_(None), provider_events.c.came_at < long_ago)
        .order_by(provider_events.c.id)
        .limit(100)
    )
    said = f"it was not joined within {JOINED_WITHIN} s"
    return [
        Fault(kind=FaultKind.UNJOINED, subject=row.id, said=f"{row.kind}: {said}") for row in rows
    ]
