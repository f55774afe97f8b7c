"""The people of an alert, each in their best state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.delivery import Cause, PersonState, State
from kentongan.ids import DeliveryId, PersonId, RecipientId
from kentongan.search import searchable
from ledger.counts import best_rank
from ledger.deliveries import named
from ledger.person_rank import PERSON_RANK
from ledger.schema import alert_people, deliveries, delivery_people

_STATE_OF_RANK = {rank: state for state, rank in PERSON_RANK.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of the deliveries by which somebody was to be told."""

    delivery_id: DeliveryId
    channel: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of an alert; `name` as it was then."""

    id: PersonId
    recipient_id: RecipientId | None
    name: str
    locale: str
    state: PersonState
    cause: Cause | None
    ways: tuple[Way, ...]


async def page(
    db: AsyncConnection,
    alert_id: str,
    *,
    states: Sequence[PersonState] = (),
    prefix: str = "",
    waiting_shows: State,
    after: str = "",
    limit: int,
) -> list[Person]:
    """Return people in the order of their expansion, behind the id `after`.

    `prefix` begins their name in any spelling.
    """
    rank = _rank(waiting_shows)
    query = (
        select(alert_people, rank.label("rank"))
        .where(alert_people.c.alert_id == alert_id, alert_people.c.id > after)
        .order_by(alert_people.c.id)
        .limit(limit)
    )
    if states:
        query = query.where(rank.in_([PERSON_RANK[state] for state in states]))
    if name := searchable(prefix):
        query = query.where(alert_people.c.recipient_id.in_(named(name)))
    rows = (await db.execute(query)).all()
    ways = await _ways(db, [row.id for row in rows], waiting_shows)
    return [_person(row, ways.get(row.id, ())) for row in rows]


def _rank(waiting_shows: State) -> Any:
    return (
        select(best_rank(waiting_shows))
        .select_from(
            delivery_people.join(deliveries, deliveries.c.id == delivery_people.c.delivery_id)
        )
        .where(delivery_people.c.person_id == alert_people.c.id)
        .correlate(alert_people)
        .scalar_subquery()
    )


async def _ways(
    db: AsyncConnection, people: Sequence[str], waiting_shows: State
) -> Mapping[str, tuple[Way, ...]]:
    if not people:
        return {}
    query: Select[Any] = (
        select(
            delivery_people.c.person_id, deliveries.c.id, deliveries.c.channel, deliveries.c.state
        )
        .join(deliveries, deliveries.c.id == delivery_people.c.delivery_id)
        .where(delivery_people.c.person_id.in_(people))
        .order_by(deliveries.c.id)
    )
    found: dict[str, tuple[Way, ...]] = {}
    for row in await db.execute(query):
        state = State(row.state)
        way = Way(
            delivery_id=DeliveryId(row.id),
            channel=row.channel,
            state=waiting_shows if state is State.WAITING else state,
        )
        found[row.person_id] = (*found.get(row.person_id, ()), way)
    return found


def _person(row: Any, ways: tuple[Way, ...]) -> Person:
    return Person(
        id=PersonId(row.id),
        recipient_id=RecipientId(row.recipient_id) if row.recipient_id else None,
        name=row.name,
        locale=row.locale,
        state=_STATE_OF_RANK[row.rank],
        cause=Cause(row.cause) if row.cause else None,
        ways=ways,
    )
