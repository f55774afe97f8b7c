"""Deliveries for people to look at: pages of them, and one of them whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from sqlalchemy import Select, and_, false, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from kentongan.delivery import State
from kentongan.ids import AlertId, DeliveryId, PersonId, RecipientId
from kentongan.receipt import KIND_OF_RANK, ReceiptKind
from kentongan.search import prefix_range, searchable
from ledger.schema import alert_people, deliveries, delivery_people
from ledger.schema_people import recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One whom a delivery is for; a shared contact point has several."""

    person_id: PersonId
    recipient_id: RecipientId | None
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A delivery as it stands. Times in epoch microseconds."""

    id: DeliveryId
    alert_id: AlertId
    channel: str
    address: str
    locale: str
    state: State
    receipt: ReceiptKind
    response: str | None
    reason: str | None
    attempts: int
    units: int
    due_at: int | None
    settled_at: int | None
    people: tuple[Told, ...] = ()

    def as_of(self, waiting_shows: State) -> Self:
        """Return it with what a waiting delivery of its alert is by now (`Overview`)."""
        return replace(self, state=waiting_shows) if self.state is State.WAITING else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which deliveries of an alert; what is empty asks for nothing.

    `prefix` begins somebody's name in any spelling, or an address where `by_address`: who may not
    see addresses must not find them out letter by letter either.
    """

    states: Sequence[State] = ()
    channels: Sequence[str] = ()
    reasons: Sequence[str] = ()
    responses: Sequence[str] = ()
    recipient: str | None = None
    prefix: str = ""
    by_address: bool = False
    waiting_shows: State = field(default=State.WAITING)


async def page(
    db: AsyncConnection, alert_id: str, which: Filter, *, after: str = "", limit: int
) -> list[Shown]:
    """Return deliveries in the order of their making, behind the id `after`."""
    states = raw_states(which.states, which.waiting_shows) if which.states else list(State)
    if which.responses:  # no other state has any, so the others need not be looked through
        states = [state for state in states if state is State.ACKNOWLEDGED]
    narrowed = await _narrowed(db, alert_id, which)
    parts = [
        _of_state(alert_id, state, after, limit).where(*narrowed).subquery() for state in states
    ]
    if not parts:
        return []
    # The index has an alert's deliveries state by state; its next ones overall are among the next
    # ones of each state. Asked at once, either engine would sort the whole alert for each page.
    ids = union_all(*(select(part.c.id) for part in parts)).subquery()
    query = (
        select(deliveries)
        .where(deliveries.c.id.in_(select(ids.c.id)))
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    rows = (await db.execute(query)).all()
    people = await _people(db, [row.id for row in rows])
    return [_shown(row, people.get(row.id, ())).as_of(which.waiting_shows) for row in rows]


def _of_state(alert_id: str, state: State, after: str, limit: int) -> Select[tuple[str]]:
    return (
        select(deliveries.c.id)
        .where(
            deliveries.c.alert_id == alert_id, deliveries.c.state == state, deliveries.c.id > after
        )
        .order_by(deliveries.c.id)
        .limit(limit)
    )


async def get(db: AsyncConnection, delivery_id: str) -> Shown | None:
    """Return a delivery as its row says; what waits may be over by now (`Overview`)."""
    row = (await db.execute(select(deliveries).where(deliveries.c.id == delivery_id))).one_or_none()
    if row is None:
        return None
    people = await _people(db, [row.id])
    return _shown(row, people.get(row.id, ()))


async def several(db: AsyncConnection, ids: Sequence[str]) -> list[Shown]:
    """Return deliveries by their ids, as their rows say, in the order of their making."""
    query = select(deliveries).where(deliveries.c.id.in_(ids)).order_by(deliveries.c.id)
    rows = (await db.execute(query)).all()
    people = await _people(db, [row.id for row in rows])
    return [_shown(row, people.get(row.id, ())) for row in rows]


async def _narrowed(db: AsyncConnection, alert_id: str, which: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions beside the state; somebody's few deliveries are looked up first."""
    found: list[ColumnElement[bool]] = []
    if which.channels:
        found.append(deliveries.c.channel.in_(which.channels))
    if which.reasons:
        found.append(deliveries.c.reason.in_(which.reasons))
    if which.responses:
        found.append(deliveries.c.response.in_(which.responses))
    if which.recipient is not None:
        theirs = _for(alert_id, alert_people.c.recipient_id == which.recipient)
        found.append(deliveries.c.id.in_((await db.execute(theirs)).scalars().all()))
    if which.prefix:
        found.append(_begins(alert_id, which))
    return found


def raw_states(wanted: Sequence[State], waiting_shows: State) -> list[State]:
    """Return what stands in the rows of those that show a state of `wanted`."""
    raw = set(wanted) - {State.WAITING}
    return sorted(raw | {State.WAITING} if waiting_shows in wanted else raw)


def _for(alert_id: str, whom: ColumnElement[bool]) -> Select[tuple[str]]:
    return (
        select(delivery_people.c.delivery_id)
        .join(alert_people, alert_people.c.id == delivery_people.c.person_id)
        .where(alert_people.c.alert_id == alert_id, whom)
    )


def _begins(alert_id: str, which: Filter) -> ColumnElement[bool]:
    by_name: ColumnElement[bool] = false()
    if name := searchable(which.prefix):
        theirs = _for(alert_id, alert_people.c.recipient_id.in_(named(name))).cte("theirs")
        by_name = deliveries.c.id.in_(select(theirs.c.delivery_id))
    if not which.by_address:
        return by_name
    return or_(by_name, _begins_with(deliveries.c.address, which.prefix.strip()))


def named(prefix: str) -> Select[tuple[str]]:
    """Return the query for recipients, also deleted ones, whose searchable name begins so."""
    return select(recipients.c.id).where(_begins_with(recipients.c.search, prefix))


def _begins_with(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    first, last = prefix_range(prefix)
    # Not BETWEEN: PostgreSQL's grammar takes no COLLATE there, which our columns bring along.
    return and_(column >= first, column <= last)


async def _people(db: AsyncConnection, ids: Sequence[str]) -> Mapping[str, tuple[Told, ...]]:
    if not ids:
        return {}
    rows = await db.execute(
        select(
            delivery_people.c.delivery_id,
            alert_people.c.id,
            alert_people.c.recipient_id,
            alert_people.c.name,
        )
        .join(alert_people, alert_people.c.id == delivery_people.c.person_id)
        .where(delivery_people.c.delivery_id.in_(ids))
        .order_by(alert_people.c.id)
    )
    found: dict[str, tuple[Told, ...]] = {}
    for row in rows:
        told = Told(person_id=row.id, recipient_id=row.recipient_id, name=row.name)
        found[row.delivery_id] = (*found.get(row.delivery_id, ()), told)
    return found


def _shown(row: Any, people: tuple[Told, ...]) -> Shown:
    return Shown(
        id=DeliveryId(row.id),
        alert_id=AlertId(row.alert_id),
        channel=row.channel,
        address=row.address,
        locale=row.locale,
        state=State(row.state),
        receipt=KIND_OF_RANK[row.receipt],
        response=row.response,
        reason=row.reason,
        attempts=row.attempts,
        units=row.units,
        due_at=row.due_at,
        settled_at=row.settled_at,
        people=people,
    )
