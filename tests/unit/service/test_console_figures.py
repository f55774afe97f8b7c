"""Counts as pages show them: they add up, and no state is told as another."""

from hypothesis import given
from hypothesis import strategies as st

from kentongan.delivery import PersonState
from ledger.counts import Counted, Counts
from service.console.figures import WIDTH, people_of


def _counted(people: dict[PersonState, int]) -> Counted:
    return Counted(counts=Counts(channels={}, people=people, causes={}), at=0, took=0)


COUNTS = st.dictionaries(st.sampled_from(list(PersonState)), st.integers(0, 10_000))


@given(COUNTS)
def test_reached_and_all_others_are_everyone_once(people: dict[PersonState, int]) -> None:
    shown = people_of(_counted(people))

    others = {part.state: part.people for part in shown.others}
    assert shown.total == sum(people.values()) == shown.reached + sum(others.values())
    for state in (PersonState.UNKNOWN, PersonState.WAITING, PersonState.HANDED_OVER):
        assert others.get(state, 0) == people.get(state, 0)


@given(COUNTS.filter(lambda people: sum(people.values()) > 0))
def test_pieces_of_the_bar_lie_end_to_end(people: dict[PersonState, int]) -> None:
    parts = people_of(_counted(people)).parts

    ends = [part.x + part.width for part in parts]
    assert [part.x for part in parts] == [0, *ends[:-1]]
    assert ends[-1] == WIDTH
