"""Waits grow, scatter, follow a provider's wish within bounds, and come to an end."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.retry import LONGEST_ASKED, RetrySchedule

STEADY = RetrySchedule(waits=(2, 10), jitter=0)


def test_waits_follow_the_schedule_and_end_with_it() -> None:
    waits = [STEADY.wait_before(tries) for tries in range(4)]

    assert waits == [timedelta(seconds=2), timedelta(seconds=2), timedelta(seconds=10), None]


@given(st.floats(0, 1))
def test_jitter_stays_within_its_share(chance: float) -> None:
    wait = RetrySchedule(waits=(10,), jitter=0.2).wait_before(1, chance=lambda: chance)

    assert wait is not None
    assert timedelta(seconds=8) <= wait <= timedelta(seconds=12)


def test_what_failed_together_does_not_return_together() -> None:
    schedule = RetrySchedule(waits=(10,), jitter=0.2)

    assert schedule.wait_before(1, chance=lambda: 0.1) != schedule.wait_before(
        1, chance=lambda: 0.9
    )


@pytest.mark.parametrize(
    ("asked", "given_"),
    [
        (timedelta(seconds=30), timedelta(seconds=30)),
        (timedelta(seconds=1), timedelta(seconds=2)),
        (timedelta(seconds=-5), timedelta(seconds=2)),
        (timedelta(days=3), LONGEST_ASKED),
    ],
)
def test_providers_wish_is_honoured_within_bounds(asked: timedelta, given_: timedelta) -> None:
    assert STEADY.wait_before(1, asked) == given_


def test_providers_wish_gives_no_further_try() -> None:
    assert STEADY.wait_before(3, timedelta(seconds=1)) is None
