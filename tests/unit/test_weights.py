"""Shares move ten points at a time, never all at once, and come back when it is quiet."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from kentongan.weights import MOST_ERRORS, STEP, WHOLE, Seen, Shares, at_rest, moved, returned

EVEN = at_rest({"main": 1, "second": 1})
FAILS, SLOW, WELL = Seen(errors=MOST_ERRORS), Seen(is_slow=True), Seen()

NAMES = ["main", "second", "third", "fourth"]
wanted = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 100), min_size=1)
sights = st.builds(Seen, errors=st.integers(0, 200), is_slow=st.booleans())
looks = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(NAMES), sights), st.sampled_from([0, 60, 300, 900])),
    max_size=40,
)


def steps(resting: Shares, seen: dict[str, Seen], count: int) -> Shares:
    shares = resting
    for _ in range(count):
        shares = moved(shares, resting, seen, quiet=inf)
    return shares


@given(wanted, looks)
def test_shares_always_make_a_whole_and_move_a_step_at_most(
    wants: dict[str, int], seen: list[tuple[dict[str, Seen], int]]
) -> None:
    resting = at_rest(wants)
    shares = resting

    for sight, quiet in seen:
        before, shares = shares, moved(shares, resting, sight, quiet=quiet)

        assert sum(shares.values()) == WHOLE
        assert all(0 <= share <= WHOLE for share in shares.values())
        assert all(abs(shares[name] - before[name]) <= STEP for name in shares)


@given(wanted, looks)
def test_shares_come_back_to_where_they_rest(
    wants: dict[str, int], seen: list[tuple[dict[str, Seen], int]]
) -> None:
    resting = at_rest(wants)
    shares = resting
    for sight, quiet in seen:
        shares = moved(shares, resting, sight, quiet=quiet)

    for _ in range(WHOLE // STEP + 1):
        shares = moved(shares, resting, {}, quiet=inf)

    assert shares == resting


@given(wanted, looks)
def test_nothing_moves_within_a_minute(
    wants: dict[str, int], seen: list[tuple[dict[str, Seen], int]]
) -> None:
    resting = at_rest(wants)

    assert all(moved(resting, resting, sight, quiet=59.9) == resting for sight, _ in seen)


@given(wanted)
def test_where_all_fail_nothing_moves(wants: dict[str, int]) -> None:
    resting = at_rest(wants)

    assert moved(resting, resting, dict.fromkeys(resting, FAILS), quiet=inf) == resting
    assert moved(resting, resting, dict.fromkeys(resting, SLOW), quiet=inf) == resting


def test_errors_take_ten_points_at_a_time_to_the_other() -> None:
    assert steps(EVEN, {"main": FAILS}, 1) == {"main": 40, "second": 60}
    assert steps(EVEN, {"main": FAILS}, 4) == {"main": 10, "second": 90}
    assert steps(EVEN, {"main": FAILS}, 9) == {"main": 0, "second": 100}


def test_errors_below_the_threshold_move_nothing() -> None:
    assert steps(EVEN, {"main": Seen(errors=MOST_ERRORS - 1)}, 5) == EVEN


def test_slowness_waits_longer_than_errors_do() -> None:
    assert moved(EVEN, EVEN, {"main": SLOW}, quiet=299) == EVEN
    assert moved(EVEN, EVEN, {"main": SLOW}, quiet=300) == {"main": 40, "second": 60}


def test_a_slow_provider_keeps_its_share_where_the_other_fails() -> None:
    assert moved(EVEN, EVEN, {"main": SLOW, "second": FAILS}, quiet=60) == {
        "main": 60,
        "second": 40,
    }


def test_a_way_back_needs_fifteen_quiet_minutes() -> None:
    away = {"main": 20, "second": 80}

    assert moved(away, EVEN, {}, quiet=899) == away
    assert moved(away, EVEN, {}, quiet=900) == {"main": 30, "second": 70}
    assert moved(away, EVEN, {"main": SLOW, "second": SLOW}, quiet=900) == away


def test_a_step_is_shared_out_among_all_that_are_well() -> None:
    three = at_rest({"main": 2, "second": 1, "third": 1})

    assert moved(three, three, {"main": FAILS}, quiet=inf) == {
        "main": 40,
        "second": 30,
        "third": 30,
    }
    assert moved(three, three, {"main": FAILS, "third": SLOW}, quiet=inf)["second"] == 30


def test_providers_that_come_or_go_begin_at_rest() -> None:
    assert moved({"main": 30, "old": 70}, EVEN, {}, quiet=0) == EVEN
    assert moved({}, EVEN, {}, quiet=0) == EVEN


def test_provider_that_was_set_aside_comes_back_with_one_step() -> None:
    three = at_rest({"main": 2, "second": 1, "third": 1})

    assert returned(three, "main") == {"main": 10, "second": 45, "third": 45}
    assert returned(at_rest({"main": 1}), "main") == {"main": 100}
    # Beside one whose share is too small to be a whole point, too.
    assert returned(at_rest({"main": 999, "second": 1}), "main") == {"main": 10, "second": 90}


@given(wanted)
def test_shares_after_a_return_make_a_whole(wants: dict[str, int]) -> None:
    resting = at_rest(wants)

    assert all(sum(returned(resting, name).values()) == WHOLE for name in resting)
