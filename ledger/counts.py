"""Counts what became of an alert, in one statement, so that its sums agree with one another."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Select, Text, cast, func, literal, literal_column, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.delivery import PERSON_STATE_OF, Cause, PersonState, State
from ledger.first_answers import first_answers
from ledger.person_rank import PERSON_RANK, person_rank_sql
from ledger.schema import (
    alert_people,
    alert_progress,
    deliveries,
    delivery_people,
)

#: A count may take a tenth of the time: the next one not before so many times its own duration.
REST = 10

_STATE_OF_RANK = {rank: state for state, rank in PERSON_RANK.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Deliveries by channel and state, people by their best state, and why some have no delivery.

    All come from one look, so people add up to the people there are, and deliveries likewise.
    `answers` are people by the option of theirs that counts, empty for a bare acknowledgement.
    """

    channels: Mapping[str, Mapping[State, int]]
    people: Mapping[PersonState, int]
    causes: Mapping[Cause, int]
    answers: Mapping[str, int] = field(default_factory=dict)

    @property
    def total_people(self) -> int:
        return sum(self.people.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "channels": {name: dict(states) for name, states in self.channels.items()},
            "people": dict(self.people),
            "causes": dict(self.causes),
            "answers": dict(self.answers),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            channels={
                name: {State(state): n for state, n in states.items()}
                for name, states in body["channels"].items()
            },
            people={PersonState(state): n for state, n in body["people"].items()},
            causes={Cause(cause): n for cause, n in body["causes"].items()},
            # Counts that were kept by an earlier version have none.
            answers=dict(body.get("answers", {})),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A count, when it was made and what it cost; epoch and span in microseconds."""

    counts: Counts
    at: int
    took: int

    def is_good(self, now: int) -> bool:
        """Tell whether it is too early for another."""
        return now < self.at + REST * self.took


async def count(db: AsyncConnection, alert_id: str, *, waiting_shows: State) -> Counts:
    """Count from the rows themselves.

    `waiting_shows` is what a waiting delivery is by now: a stopped or expired alert's count as
    stopped or expired at once, though their rows follow in pages.

    Where everybody has one delivery of their own, people are counted by their deliveries: looking
    up whose is whose takes eight times as long.
    """
    parts = [_deliveries(alert_id), _links(alert_id), _causes(alert_id), _answers(alert_id)]
    tally = _Tally(waiting_shows)
    tally.add(await db.execute(union_all(*parts)))
    if not tally.is_one_to_one():
        tally = _Tally(waiting_shows)
        tally.add(await db.execute(union_all(*parts, _people(alert_id, waiting_shows))))
    return tally.counts()


class _Tally:
    """What was counted in one statement, and so agrees with itself."""

    def __init__(self, waiting_shows: State) -> None:
        self._waiting_shows = waiting_shows
        self._channels: dict[str, Counter[State]] = defaultdict(Counter)
        self._links = 0
        self._found: Counter[str] = Counter()  # people by their cause, empty for none
        self._best: Counter[PersonState] = Counter()
        self._answers: dict[str, int] = {}

    def add(self, told: Iterable[Any]) -> None:
        for row in told:
            if row.of == "delivery":
                state = State(row.what)
                shown = self._waiting_shows if state is State.WAITING else state
                self._channels[row.among][shown] += row.n
            elif row.of == "link":
                self._links = row.n
            elif row.of == "cause":
                self._found[row.what] += row.n
            elif row.of == "answer":
                self._answers[row.what] = row.n
            else:
                self._best[_STATE_OF_RANK[int(row.what)]] += row.n

    def is_one_to_one(self) -> bool:
        """Tell whether each delivery is for one person, and each person without a cause has one.

        A page writes no delivery without its people, and nobody without a delivery or a cause: so
        it is enough that there are as many.
        """
        deliveries = sum(states.total() for states in self._channels.values())
        return deliveries == self._links == self._found[""]

    def counts(self) -> Counts:
        people = self._of_deliveries() if self.is_one_to_one() else self._best
        if none := self._found.total() - people.total():
            people[PersonState.NO_CONTACT_POINT] += none
        causes = {Cause(cause): n for cause, n in self._found.items() if cause and n}
        return Counts(channels=self._channels, people=people, causes=causes, answers=self._answers)

    def _of_deliveries(self) -> Counter[PersonState]:
        people: Counter[PersonState] = Counter()
        for states in self._channels.values():
            for state, n in states.items():
                people[PERSON_STATE_OF[state]] += n
        return people


def _deliveries(alert_id: str) -> Select[Any]:
    return (
        select(
            literal("delivery").label("of"),
            deliveries.c.channel.label("among"),
            deliveries.c.state.label("what"),
            func.count().label("n"),
        )
        .where(deliveries.c.alert_id == alert_id)
        .group_by(deliveries.c.channel, deliveries.c.state)
    )


def _links(alert_id: str) -> Select[str, str, str, int]:
    return select(literal("link"), literal(""), literal(""), func.count()).where(
        delivery_people.c.alert_id == alert_id
    )


def _causes(alert_id: str) -> Select[str, str, Any, int]:
    cause = func.coalesce(alert_people.c.cause, "")
    return (
        select(literal("cause"), literal(""), cause, func.count())
        .where(alert_people.c.alert_id == alert_id)
        .group_by(cause)
    )


def _people(alert_id: str, waiting_shows: State) -> Select[str, str, str, int]:
    """Count people who have deliveries by the best of theirs."""
    best = (
        select(best_rank(waiting_shows).label("rank"))
        .select_from(
            delivery_people.join(deliveries, deliveries.c.id == delivery_people.c.delivery_id)
        )
        .where(delivery_people.c.alert_id == alert_id)
        .group_by(delivery_people.c.person_id)
        .subquery()
    )
    return select(literal("person"), literal(""), cast(best.c.rank, Text), func.count()).group_by(
        best.c.rank
    )


def _answers(alert_id: str) -> Select[Any]:
    first = first_answers(alert_id).subquery()
    return select(literal("answer"), literal(""), first.c.response, func.count()).group_by(
        first.c.response
    )


def best_rank(waiting_shows: State) -> Any:
    """Return SQL for the rank of the best of joined deliveries, that of no delivery if none."""
    shown = "deliveries.state"
    if waiting_shows is not State.WAITING:
        shown = f"replace({shown}, '{State.WAITING}', '{waiting_shows}')"
    none = PERSON_RANK[PersonState.NO_CONTACT_POINT]
    return func.coalesce(func.max(literal_column(person_rank_sql(shown))), none)


async def keep(db: AsyncConnection, alert_id: str, counted: Counted) -> None:
    """Keep a count for all who look; an older one never replaces a newer."""
    await db.execute(
        update(alert_progress)
        .where(
            alert_progress.c.alert_id == alert_id,
            func.coalesce(alert_progress.c.counted_at, 0) <= counted.at,
        )
        .values(counts=counted.counts.to_json(), counted_at=counted.at, counted_in=counted.took)
    )
