"""Expanding alerts page by page as a worker does, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import select

from kentongan.alert import Alert
from kentongan.audience import Audience
from kentongan.expansion import Expanded, Point, Stage, expand, next_stage
from kentongan.ids import GroupId
from kentongan.recipient import Draft
from ledger import alerts, audiences, expansion, groups, recipients
from ledger.engine import Ledger, read_now
from ledger.expansion import Progress
from ledger.schema import alert_people, alert_progress, deliveries, delivery_people
from tests.fakes.running import an_alert

UNITS = {(channel, locale): 1 for channel in ("sms", "email") for locale in ("en", "id")}


#: What a page adds, and where the expansion then stands.
Made: TypeAlias = tuple[Expanded, Stage, str]


async def accepted(ledger: Ledger, audience: Audience) -> Alert:
    async with ledger.write() as db:
        now = await read_now(db)
        alert = an_alert(now, audience=audience)
        await alerts.add(db, alert, expand_at=now)
    return alert


async def stands(ledger: Ledger, alert: Alert) -> Progress:
    async with ledger.read() as db:
        found = await expansion.progress(db, alert.id)
    assert found is not None
    return found


async def looked_up(ledger: Ledger, alert: Alert, was: Progress, size: int) -> Made:
    """Return a page as a worker makes it."""
    async with ledger.read() as db:
        found = await audiences.members(db, alert, was.stage, was.cursor, size)
        points = sorted({point for member in found.members for point in member.points})
        known = await expansion.known(db, alert.id, points) if points else {}
    page = expand(
        found.members,
        alert,
        fallback_locale="en",
        units=UNITS,
        suppressed=found.barred,
        known=known,
    )
    return page, was.stage if found.cursor else next_stage(was.stage), found.cursor


async def expand_all(ledger: Ledger, alert: Alert, size: int = 100) -> None:
    while (was := await stands(ledger, alert)).stage is not Stage.DONE:
        await write(ledger, alert, was, await looked_up(ledger, alert, was, size))


async def write(ledger: Ledger, alert: Alert, was: Progress, made: Made) -> None:
    page, stage, cursor = made
    async with ledger.bulk() as db:
        await expansion.write_page(db, alert.id, was=was, page=page, stage=stage, cursor=cursor)


async def told(ledger: Ledger, alert: Alert) -> dict[str, list[str]]:
    """Return the addresses that tell each person, by name."""
    query = (
        select(alert_people.c.name, deliveries.c.address)
        .join(delivery_people, delivery_people.c.person_id == alert_people.c.id, isouter=True)
        .join(deliveries, deliveries.c.id == delivery_people.c.delivery_id, isouter=True)
        .where(alert_people.c.alert_id == alert.id)
        .order_by(alert_people.c.name, deliveries.c.address)
    )
    found: dict[str, list[str]] = {}
    async with ledger.read() as db:
        for row in await db.execute(query):
            found.setdefault(row.name, []).extend([row.address] if row.address else [])
    return found


async def addressed(ledger: Ledger, alert: Alert) -> list[Point]:
    async with ledger.read() as db:
        rows = await db.execute(
            select(deliveries.c.channel, deliveries.c.address)
            .where(deliveries.c.alert_id == alert.id)
            .order_by(deliveries.c.channel, deliveries.c.address)
        )
        return [(row.channel, row.address) for row in rows]


async def counted(ledger: Ledger, alert: Alert) -> tuple[int, int]:
    """Return people and deliveries as the progress has counted them."""
    async with ledger.read() as db:
        row = (
            await db.execute(select(alert_progress).where(alert_progress.c.alert_id == alert.id))
        ).one()
        return row.people, row.deliveries


async def a_group(ledger: Ledger, people: Mapping[str, Sequence[Point]]) -> GroupId:
    async with ledger.write() as db:
        now = await read_now(db)
        group = (await groups.ensure(db, {"north": "North"}, now))["north"]
        drafts = [
            Draft(name=name, locale="en", points=tuple(points), groups=frozenset({group}))
            for name, points in people.items()
        ]
        await recipients.add(db, drafts, now)
    return group


FAMILY: Mapping[str, Sequence[Point]] = {
    "Siti": [("sms", "+1"), ("email", "siti@example.org")],
    "Budi": [("sms", "+1")],
    "Adi": [("sms", "+2")],
    "Wati": [],
    "Dewi": [("voice", "+1")],
}
TOLD = {
    "Siti": ["+1", "siti@example.org"],
    "Budi": ["+1"],
    "Adi": ["+2"],
    "Wati": [],
    "Dewi": [],
}
