"""Times of a window are counted as Prometheus's own histogram would count them one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from workers.times import Times

BUCKETS = (0.1, 1, 2.5)
SECONDS = st.one_of(st.sampled_from([0.0, 0.1, 1.0, 2.5]), st.floats(0, 10))


def lines_of(registry: CollectorRegistry) -> list[str]:
    """Return what a scrape reads, without comments and without when counting began."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#") and "_created" not in line]


@given(windows=st.lists(st.lists(SECONDS, max_size=5), max_size=5))
def test_window_is_counted_as_its_times_one_by_one(windows: list[list[float]]) -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    one_by_one = Histogram("t", "Times.", ["channel"], buckets=BUCKETS, registry=theirs)
    at_once = Times("t", "Times.", ["channel"], buckets=BUCKETS, registry=ours)

    for window in windows:
        at_once.observe(("sms",), window)
        for seconds in window:
            one_by_one.labels("sms").observe(seconds)
        one_by_one.labels("sms")

    counts = [line.rpartition(" ")[::2] for line in lines_of(ours)]
    expected = [line.rpartition(" ")[::2] for line in lines_of(theirs)]
    assert [name for name, _ in counts] == [name for name, _ in expected]
    assert [float(value) for _, value in counts] == pytest.approx([float(v) for _, v in expected])


def test_time_that_many_share_is_counted_for_each() -> None:
    registry = CollectorRegistry()
    times = Times("t", "Times.", ["channel"], buckets=BUCKETS, registry=registry)

    times.observe(("sms",), [0.5], times=4)

    assert registry.get_sample_value("t_count", {"channel": "sms"}) == 4
    assert registry.get_sample_value("t_sum", {"channel": "sms"}) == 2
    assert registry.get_sample_value("t_bucket", {"channel": "sms", "le": "0.1"}) == 0


def test_two_of_one_name_are_refused() -> None:
    registry = CollectorRegistry()
    Times("t", "Times.", ["channel"], registry=registry)

    with pytest.raises(ValueError, match="Duplicated"):
        Times("t", "Times.", ["channel"], registry=registry)
