"""Failures are counted by name, for a while, in bounded memory."""

from service.limits import FailureLimit


def test_name_waits_after_its_failures_and_not_for_ever() -> None:
    limit = FailureLimit(most=2, window=60)

    limit.note("a", 0)
    first = limit.wait("a", 1)
    limit.note("a", 10)

    assert first == 0
    assert limit.wait("a", 11) == 49
    assert limit.wait("b", 11) == 0
    assert limit.wait("a", 60) == 0


def test_failures_of_a_past_window_are_forgotten() -> None:
    limit = FailureLimit(most=2, window=60)
    for now in (0, 61):
        limit.note("a", now)

    assert limit.wait("a", 62) == 0


def test_any_number_of_names_takes_the_same_memory() -> None:
    limit = FailureLimit(most=1, window=60, names=10)

    for number in range(1000):
        limit.note(str(number), 0)

    assert len(limit) == 10
    assert limit.wait("999", 1) > 0
