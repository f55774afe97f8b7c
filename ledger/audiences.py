"""Looking up whom an alert is for, a page at a time."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from kentongan.alert import Alert
from kentongan.audience import Audience, Of, Who
from kentongan.expansion import Member, Point, Stage, named
from kentongan.ids import RecipientId
from kentongan.settling import Resolution
from ledger.audience_query import page_query, page_text
from ledger.dialect import among, is_postgresql
from ledger.driver import in_thread
from ledger.expansion import barred
from ledger.schema import alert_people, attempts, deliveries, delivery_people
from ledger.schema_people import contact_points


@dataclass(frozen=True, slots=True)
class Page:
    """The next people of an audience, the cursor behind them ("" at the end of their stage).

    `barred` are those of their contact points that must not be written to.
    """

    members: list[Member] = field(default_factory=list)
    cursor: str = ""
    barred: set[Point] = field(default_factory=set)


async def members(db: AsyncConnection, alert: Alert, stage: Stage, cursor: str, limit: int) -> Page:
    """Return the next people of `stage` after `cursor`.

    Membership is read here and nowhere else: who joins a group later is not of this alert.
    """
    match stage:
        case Stage.POINTS:
            return await _pasted(db, alert, cursor, limit)
        case Stage.RECIPIENTS:
            return await _recipients(db, alert, cursor, limit)
        case Stage.OF:
            return await _of(db, alert, cursor, limit)
        case Stage.DONE:
            return Page()


async def _pasted(db: AsyncConnection, alert: Alert, cursor: str, limit: int) -> Page:
    start = int(cursor or 0)
    page = alert.audience.points[start : start + limit]
    found = [
        Member(
            recipient_id=None,
            name="",
            locale=point.locale,
            points=((point.channel, point.address),),
        )
        for point in page
    ]
    return await _with_barred(db, found, str(start + limit) if len(page) == limit else "")


async def _with_barred(db: AsyncConnection, found: list[Member], cursor: str) -> Page:
    points = sorted({point for member in found for point in member.points})
    return Page(found, cursor, await barred(db, points) if points else set())


async def _recipients(db: AsyncConnection, alert: Alert, cursor: str, limit: int) -> Page:
    audience = alert.audience
    if not audience.groups and not audience.recipients:
        return Page()
    people, points, suppressed = [], list[Point](), set[Point]()
    last = ""
    rows = await _found(db, audience, cursor, limit)
    for person, name, locale, channel, address, is_barred in rows:
        if person != last:
            last, points = person, []
            people.append((person, name, locale, points))
        if channel is not None:
            points.append((channel, address))
            if is_barred:
                suppressed.add((channel, address))
    return Page(named(Member, people), last if len(people) == limit else "", suppressed)


async def _found(db: AsyncConnection, audience: Audience, after: str, most: int) -> Sequence[Any]:
    """Return rows of `page_query`, one for each contact point or for a person who has none."""
    found: Sequence[Any]
    if is_postgresql(db):
        query = page_query(audience.groups, audience.recipients)
        found = (await db.execute(query, {"after": after, "most": most})).all()
        return found
    text = page_text(audience.groups, audience.recipients)
    given = text.given(after, most)

    def ask(connection: sqlite3.Connection) -> Any:
        return connection.execute(text.sql, given).fetchone()[0]

    found = json.loads(await in_thread(db, ask))
    return found


async def points_of(db: AsyncConnection, people: Sequence[str]) -> dict[str, list[Point]]:
    """Return the usable contact points of recipients, in their order of preference."""
    rows = await db.execute(
        select(contact_points.c.recipient_id, contact_points.c.channel, contact_points.c.address)
        .where(
            among(db, contact_points.c.recipient_id, people), contact_points.c.disabled_at.is_(None)
        )
        .order_by(contact_points.c.recipient_id, contact_points.c.rank, contact_points.c.id)
    )
    found: dict[str, list[Point]] = {}
    for row in rows:
        found.setdefault(row.recipient_id, []).append((row.channel, row.address))
    return found


def may_have_got() -> ColumnElement[bool]:
    """Return the condition on a delivery that an attempt of it is not certain to be unsent."""
    return exists().where(attempts.c.delivery_id == deliveries.c.id, may_have_left())


def may_have_left() -> ColumnElement[bool]:
    """Return the condition that an attempt is not certain to be unsent."""
    return or_(
        attempts.c.outcome.is_(None),
        attempts.c.outcome == "accepted",
        and_(
            attempts.c.outcome == "unknown",
            or_(
                attempts.c.resolution.is_(None),
                attempts.c.resolution != Resolution.NOT_BEGUN,
            ),
        ),
    )


def _whom(of: Of) -> ColumnElement[bool]:
    theirs = (
        exists()
        .where(
            delivery_people.c.person_id == alert_people.c.id,
            delivery_people.c.delivery_id == deliveries.c.id,
        )
        .correlate(alert_people)
    )
    match of.who:
        case Who.MAY_HAVE_GOT:
            return theirs.where(may_have_got())
        case Who.NOT_REACHED:
            return ~theirs.where(
                deliveries.c.state.in_(("acknowledged", "read", "delivered", "answered"))
            )
        case Who.UNANSWERED:
            return ~theirs.where(deliveries.c.state == "acknowledged")


def people_of(of: Of) -> Select[Any]:
    """Return the query for the people of an earlier alert."""
    return select(
        alert_people.c.id, alert_people.c.recipient_id, alert_people.c.name, alert_people.c.locale
    ).where(alert_people.c.alert_id == of.alert, _whom(of))


def _is_there(alert: Alert) -> ColumnElement[bool]:
    """Return the condition that someone of the earlier alert is of this one by another part."""
    mine = alert_people.alias("mine")
    return exists().where(
        mine.c.alert_id == alert.id, mine.c.recipient_id == alert_people.c.recipient_id
    )


async def _of(db: AsyncConnection, alert: Alert, cursor: str, limit: int) -> Page:
    of = alert.audience.of
    if of is None:
        return Page()
    page = (
        await db.execute(
            people_of(of)
            .where(alert_people.c.id > cursor, ~_is_there(alert))
            .order_by(alert_people.c.id)
            .limit(limit)
        )
    ).all()
    now_reachable = await points_of(db, [row.recipient_id for row in page if row.recipient_id])
    used = await _points_used(db, [row.id for row in page], of)
    found = []
    for row in page:
        current, earlier = now_reachable.get(row.recipient_id, []), used.get(row.id, [])
        # A correction goes where the original may have gone, even if that is theirs no more.
        first = earlier if of.who is Who.MAY_HAVE_GOT else current
        usable = [point for point in first if point[0] in alert.channels]
        found.append(
            Member(
                recipient_id=RecipientId(row.recipient_id) if row.recipient_id else None,
                name=row.name,
                locale=row.locale,
                points=tuple(usable or current or earlier),
            )
        )
    return await _with_barred(db, found, page[-1].id if len(page) == limit else "")


async def _points_used(
    db: AsyncConnection, people: Sequence[str], of: Of
) -> dict[str, list[Point]]:
    query = (
        select(delivery_people.c.person_id, deliveries.c.channel, deliveries.c.address)
        .join(deliveries, deliveries.c.id == delivery_people.c.delivery_id)
        .where(among(db, delivery_people.c.person_id, people))
        .order_by(deliveries.c.id)
    )
    if of.who is Who.MAY_HAVE_GOT:
        query = query.where(may_have_got())
    found: dict[str, list[Point]] = {}
    for row in await db.execute(query):
        found.setdefault(row.person_id, []).append((row.channel, row.address))
    return found
