"""A local time is one instant: on the days when clocks change, its author is asked which."""

from datetime import UTC, datetime

import pytest

from kentongan.clock import Micros, to_datetime, to_micros
from service.accepting.faults import Faults
from service.accepting.times import times_of
from service.api.alert_bodies import NewAlert
from service.web.problems import ProblemError

NOW = to_micros(datetime(2026, 3, 1, tzinfo=UTC))
BERLIN = "Europe/Berlin"


def asked(send_at: str | None, zone: str | None = None) -> tuple[Micros | None, str | None]:
    """Return the instant and the zone that are kept; raise what is wrong with them."""
    faults = Faults()
    body = {"mode": "exercise", "send_at": send_at, "zone": zone}
    times = times_of(NewAlert.model_validate(body, strict=False), NOW, faults)
    faults.refuse_if_any()
    return times.send_at, times.zone


def refusal(send_at: str | None, zone: str | None = None) -> str:
    """Return how the problem says to mend it."""
    with pytest.raises(ProblemError) as refused:
        asked(send_at, zone)
    return str(refused.value.response().text)


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [
        ("2026-03-28T02:30:00", BERLIN, "2026-03-28T01:30:00+00:00"),
        ("2026-03-29T01:59:59", BERLIN, "2026-03-29T00:59:59+00:00"),
        ("2026-03-29T03:00:00", BERLIN, "2026-03-29T01:00:00+00:00"),
        ("2026-10-25T01:59:59", BERLIN, "2026-10-24T23:59:59+00:00"),
        ("2026-10-25T03:00:00", BERLIN, "2026-10-25T02:00:00+00:00"),
        ("2026-03-29T02:30:00", "Asia/Jakarta", "2026-03-28T19:30:00+00:00"),
    ],
)
def test_local_time_means_what_the_clocks_of_its_zone_show(local: str, zone: str, utc: str) -> None:
    send_at, kept = asked(local, zone)

    assert send_at is not None
    assert (to_datetime(send_at).isoformat(), kept) == (utc, zone)


def test_time_that_the_clocks_skip_is_refused_with_one_that_they_show() -> None:
    told = refusal("2026-03-29T02:30:00", BERLIN)

    assert "never show 02:30" in told
    assert "2026-03-29T03:30:00+02:00" in told


def test_time_that_the_clocks_show_twice_is_refused_with_both_instants() -> None:
    told = refusal("2026-10-25T02:30:00", BERLIN)

    assert "twice" in told
    assert "2026-10-25T02:30:00+02:00 is the first" in told
    assert "2026-10-25T02:30:00+01:00 the second" in told


@pytest.mark.parametrize("offset", ["+02:00", "+01:00"])
def test_offset_says_which_of_the_two_is_meant(offset: str) -> None:
    send_at, kept = asked(f"2026-10-25T02:30:00{offset}", BERLIN)

    assert send_at == to_micros(datetime.fromisoformat(f"2026-10-25T02:30:00{offset}"))
    assert kept == BERLIN


def test_offset_that_contradicts_its_zone_is_refused_with_the_right_one() -> None:
    assert "2026-07-01T10:00:00+02:00" in refusal("2026-07-01T09:00:00+01:00", BERLIN)


def test_local_time_without_a_zone_is_no_instant() -> None:
    assert "Write the offset" in refusal("2026-07-01T09:00:00")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Europe", "+07:00"])
def test_zone_that_nobody_knows_is_refused(zone: str) -> None:
    assert "no time zone called" in refusal("2026-07-01T09:00:00", zone)


def test_zone_by_itself_is_refused() -> None:
    assert "no use by itself" in refusal(None, BERLIN)


def test_instant_without_a_zone_is_kept_as_ever() -> None:
    assert asked("2026-07-01T09:00:00+07:00") == (
        to_micros(datetime(2026, 7, 1, 2, tzinfo=UTC)),
        None,
    )
