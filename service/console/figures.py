"""The counts of an alert as pages show them: people first, and a bar that needs no script."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kentongan.delivery import PersonState, State
from ledger.counts import Counted, Counts

#: A bar is so wide, in units of its own picture.
WIDTH = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """People of one state, and their piece of the bar: where it begins, and how wide it is."""

    state: PersonState
    people: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class People:
    """All people of an alert; each is in one of the parts, so that these add up."""

    total: int
    parts: tuple[Part, ...]
    answered: int
    reached: int  # also those who answered
    not_reached: int  # also those whom nothing could reach

    @property
    def others(self) -> list[Part]:
        """Those who are not among the reached, each state by itself: unknown is not waiting."""
        reached = {PersonState.ACKNOWLEDGED, PersonState.REACHED}
        return [part for part in self.parts if part.people and part.state not in reached]


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """The deliveries of one channel, by the states that occur."""

    channel: str
    total: int
    states: tuple[tuple[State, int], ...]


def people_of(counted: Counted) -> People:
    """Return the people of a count, with the bar that shows them."""
    of, total = counted.counts.people, counted.counts.total_people
    return People(
        total=total,
        parts=tuple(_parts(of, total)),
        answered=_sum(of, PersonState.ACKNOWLEDGED),
        reached=_sum(of, PersonState.ACKNOWLEDGED, PersonState.REACHED),
        not_reached=_sum(of, PersonState.NOT_REACHED, PersonState.NO_CONTACT_POINT),
    )


def channels_of(counts: Counts) -> list[ChannelRow]:
    """Return the channels of a count, their states in the order of `State`."""
    return [
        ChannelRow(
            channel=name,
            total=sum(states.values()),
            states=tuple((state, states[state]) for state in State if states.get(state)),
        )
        for name, states in sorted(counts.channels.items())
    ]


def _parts(of: Mapping[PersonState, int], total: int) -> Iterator[Part]:
    before = 0
    for state in PersonState:
        people = of.get(state, 0)
        begins, ends = (round(WIDTH * n / max(1, total)) for n in (before, before + people))
        yield Part(state, people, begins, ends - begins)
        before += people


def _sum(of: Mapping[PersonState, int], *states: PersonState) -> int:
    return sum(of.get(state, 0) for state in states)
