"""A person's rate: how a table is written, and when the next message may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.clock import seconds
from kentongan.person_rate import STANDARD, Limit, free_at, longest, parse

LIMITS = st.lists(
    st.builds(Limit, most=st.integers(1, 6), within=st.integers(1, 600)), min_size=1, max_size=4
)
MOMENTS = st.lists(st.integers(0, seconds(900)), max_size=25).map(sorted)


def keeps(sent: list[int], limits: list[Limit], at: int) -> bool:
    """Tell, by counting, whether one more at `at` keeps to every limit."""
    return all(
        sum(at - seconds(limit.within) < one <= at for one in sent) < limit.most for limit in limits
    )


@given(sent=MOMENTS, limits=LIMITS, since=st.integers(0, seconds(60)))
def test_next_goes_at_the_first_moment_that_keeps_to_every_limit(
    sent: list[int], limits: list[Limit], since: int
) -> None:
    now = max(sent, default=0) + since

    at = free_at(sent, limits, now)

    assert at >= now
    assert keeps(sent, limits, at)
    assert at == now or not keeps(sent, limits, at - 1)


@given(wishes=MOMENTS, limits=LIMITS)
def test_whoever_waits_as_told_never_breaks_a_limit(wishes: list[int], limits: list[Limit]) -> None:
    sent: list[int] = []
    for wish in wishes:
        now = max([wish, *sent[-1:]])
        sent.append(free_at(sent, limits, now))

    for place, at in enumerate(sent):
        assert keeps(sent[:place], limits, at)


def test_without_limits_nothing_waits() -> None:
    assert free_at([1, 2, 3], (), 4) == 4
    assert longest(()) == 0


@pytest.mark.parametrize(("count", "waits"), [(0, 0), (1, 60), (4, 60), (5, 900), (11, 3600)])
def test_standard_lets_a_telephone_have_one_a_minute_five_a_quarter_and_eleven_an_hour(
    count: int, waits: int
) -> None:
    at = free_at([0] * count, STANDARD["sms"], 0)

    assert at == seconds(waits)


def test_entries_of_a_channel_add_up() -> None:
    assert parse(["sms=5/15m", "sms=2/1d", "voice=1/30s"]) == {
        "sms": (Limit(most=5, within=900), Limit(most=2, within=86_400)),
        "voice": (Limit(most=1, within=30),),
    }


def test_own_entries_replace_the_standards_of_their_channel() -> None:
    table = parse(["sms=3/1h", "standard"])

    assert table == {**STANDARD, "sms": (Limit(most=3, within=3600),)}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("sms=5/15", "is no rate"),
        ("sms 5/15m", "is no rate"),
        ("sms=-1/15m", "is no rate"),
        ("standart", "is no rate"),
        ("sms=0/15m", "lets nothing through"),
        ("sms=5/0m", "counts over no time"),
        ("sms=5/8d", "more than 7 days"),
    ],
)
def test_entry_that_cannot_be_read_is_told(entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse([entry])
