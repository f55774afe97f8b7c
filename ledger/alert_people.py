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
from ledger.first_answers import first_answers
from ledger.person_rank import PERSON_RANK
from ledger.schema import alert_people, deliveries, delivery_people

_BEFORE_SENDING = frozenset({State.SUPPRESSED, State.EXPIRED, State.STOPPED})
_STATE_OF_RANK = {rank: state for state, rank in PERSON_RANK.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of the deliveries by which somebody was to be told."""

    delivery_id: DeliveryId
    channel: str
    state: State
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of an alert; `name` as it was then.

    `response` is the answer of theirs that counts: an option's key, empty for a bare
    acknowledgement.
    """

    id: PersonId
    recipient_id: RecipientId | None
    name: str
    locale: str
    state: PersonState
    cause: Cause | None
    response: str | None
    ways: tuple[Way, ...]

    @property
    def reason(self) -> str | None:
        """Why they were not reached: that of what failed, else of what was never sent."""
        if self.state is not PersonState.NOT_REACHED:
            return None
        failed = [way.reason for way in self.ways if way.state is State.FAILED]
        return next(
            (reason for reason in [*failed, *(w.reason for w in self.ways)] if reason), None
        )


async def page(
    db: AsyncConnection,
    alert_id: str,
    *,
    states: Sequence[PersonState] = (),
    responses: Sequence[str] = (),
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
        _people(alert_id, rank)
        .where(alert_people.c.id > after)
        .order_by(alert_people.c.id)
        .limit(limit)
    )
    if states:
        query = query.where(rank.in_([PERSON_RANK[state] for state in states]))
    if name := searchable(prefix):
        query = query.where(alert_people.c.recipient_id.in_(named(name)))
    if responses:
        first = first_answers(alert_id).subquery()
        chose = select(first.c.person_id).where(first.c.response.in_(responses))
        query = query.where(alert_people.c.id.in_(chose))
    return await _found(db, alert_id, query, waiting_shows)


async def find(
    db: AsyncConnection, alert_id: str, person_id: str, *, waiting_shows: State
) -> Person | None:
    """Return one of the people of an alert; None for somebody else's."""
    query = _people(alert_id, _rank(waiting_shows)).where(alert_people.c.id == person_id)
    return next(iter(await _found(db, alert_id, query, waiting_shows)), None)


def _people(alert_id: str, rank: Any) -> Select[Any]:
    return select(alert_people, rank.label("rank")).where(alert_people.c.alert_id == alert_id)


async def _found(
    db: AsyncConnection, alert_id: str, query: Select[Any], waiting_shows: State
) -> list[Person]:
    rows = (await db.execute(query)).all()
    ids = [row.id for row in rows]
    ways = await _ways(db, ids, waiting_shows)
    said = await _said(db, alert_id, ids)
    return [_person(row, ways.get(row.id, ()), said.get(row.id)) for row in rows]


async def _said(db: AsyncConnection, alert_id: str, people: Sequence[str]) -> Mapping[str, str]:
    if not people:
        return {}
    rows = await db.execute(first_answers(alert_id, delivery_people.c.person_id.in_(people)))
    return {row.person_id: row.response for row in rows}


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
            delivery_people.c.person_id,
            deliveries.c.id,
            deliveries.c.channel,
            deliveries.c.state,
            deliveries.c.reason,
        )
        .join(deliveries, deliveries.c.id == delivery_people.c.delivery_id)
        .where(delivery_people.c.person_id.in_(people))
        .order_by(deliveries.c.id)
    )
    found: dict[str, tuple[Way, ...]] = {}
    for row in await db.execute(query):
        found[row.person_id] = (*found.get(row.person_id, ()), _way(row, waiting_shows))
    return found


def _way(row: Any, waiting_shows: State) -> Way:
    state = State(row.state)
    if state is State.WAITING:
        state = waiting_shows
    # Rows follow a stop in pages; what it means for them is certain before.
    unsent = str(state) if state in _BEFORE_SENDING else None
    return Way(
        delivery_id=DeliveryId(row.id),
        channel=row.channel,
        state=state,
        reason=row.reason or unsent,
    )


def _person(row: Any, ways: tuple[Way, ...], response: str | None) -> Person:
    return Person(
        id=PersonId(row.id),
        recipient_id=RecipientId(row.recipient_id) if row.recipient_id else None,
        name=row.name,
        locale=row.locale,
        state=_STATE_OF_RANK[row.rank],
        cause=Cause(row.cause) if row.cause else None,
        response=response,
        ways=ways,
    )
