"""A caller who used up the hour is told when enough people fall out of it."""

from kentongan.clock import seconds
from ledger.ceilings import LastHour

# Three people 50 minutes ago, two 20 minutes ago; an hour is 3600 seconds.
HOUR = LastHour(now=seconds(3000), alerted=[(0, 3), (seconds(1800), 2)])


def test_who_fits_need_not_wait() -> None:
    assert HOUR.wait(people=1, ceiling=6) == 0


def test_wait_ends_when_the_oldest_who_are_in_the_way_have_gone() -> None:
    assert HOUR.wait(people=3, ceiling=5) == 601
    assert HOUR.wait(people=4, ceiling=5) == 2401


def test_nobody_waits_for_what_never_fits() -> None:
    assert HOUR.wait(people=6, ceiling=5) is None
