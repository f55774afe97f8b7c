"""A worker's own share of a pace, for as long as Redis is away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.channel import Pace
from tests.fakes.hands import DullChannel
from workers.pace import LONGEST_WAIT, SHORTEST_WAIT, LocalPace
from workers.turn import width_for

PACE = Pace(units_per_second=10, burst=20)


def test_share_starts_empty_and_fills_at_the_rate_divided_by_the_workers() -> None:
    pace = LocalPace()

    first = pace.take("sms:+1", PACE, 100, workers=2, now=0.0)
    second = pace.take("sms:+1", PACE, 100, workers=2, now=1.0)

    assert first.units == 0
    assert second.units == 5


def test_share_never_holds_more_than_its_part_of_the_burst() -> None:
    pace = LocalPace()
    pace.take("sms:+1", PACE, 1, workers=2, now=0.0)

    assert pace.take("sms:+1", PACE, 100, workers=2, now=3600.0).units == 10


def test_senders_do_not_share() -> None:
    pace = LocalPace()
    for sender in ("sms:+1", "sms:+2"):
        pace.take(sender, PACE, 1, workers=1, now=0.0)

    assert pace.take("sms:+1", PACE, 100, workers=1, now=1.0).units == 10
    assert pace.take("sms:+2", PACE, 100, workers=1, now=1.0).units == 10


@given(
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 50)), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_all_workers_together_never_exceed_the_pace(
    asks: list[tuple[float, int]], workers: int
) -> None:
    shares = [LocalPace() for _ in range(workers)]
    now, granted = 0.0, 0
    for share in shares:
        share.take("sms:+1", PACE, 1, workers=workers, now=0.0)

    for wait, wanted in asks:
        now += wait
        for share in shares:
            grant = share.take("sms:+1", PACE, wanted, workers=workers, now=now)
            granted += grant.units
            assert grant.units <= wanted
            assert SHORTEST_WAIT <= grant.wait <= LONGEST_WAIT

    assert granted <= PACE.units_per_second * now + 1e-6


@pytest.mark.parametrize(
    ("rate", "workers", "width"),
    [(1, 8, 1), (3.9, 8, 1), (60, 8, 1), (101, 2, 2), (10_000, 2, 2), (10_000, 0, 1)],
)
def test_turns_grow_with_the_pace_up_to_one_a_worker(rate: float, workers: int, width: int) -> None:
    assert width_for([DullChannel(rate=rate)], workers) == width


@pytest.mark.parametrize(("rate", "width"), [(0.5, 1), (1, 1), (4, 3), (30, 3), (200, 6)])
def test_slow_senders_have_a_turn_each_as_far_as_their_pace_is_worth_it(
    rate: float, width: int
) -> None:
    assert width_for([DullChannel(rate=rate)] * 3, 8) == width


def test_message_that_takes_several_units_is_granted_whole_or_not_at_all() -> None:
    pace = LocalPace()
    pace.take("sms:+1", PACE, 3, workers=1, now=0.0)

    first = pace.take("sms:+1", PACE, 3, workers=1, now=0.1, least=3)
    second = pace.take("sms:+1", PACE, 3, workers=1, now=0.2, least=3)
    third = pace.take("sms:+1", PACE, 3, workers=1, now=0.4, least=3)

    assert [first.units, second.units, third.units] == [3, 0, 3]  # what was lent is paid back
