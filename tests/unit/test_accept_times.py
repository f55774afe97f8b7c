"""An alert has a life that fits its severity, and cannot outlive its use."""

from datetime import timedelta
from typing import Any

import pytest

from kentongan.clock import seconds, to_datetime
from service.accepting.faults import Faults
from service.accepting.times import Times, times_of
from service.api.alert_bodies import NewAlert

NOW = 1_800_000_000_000_000
HOUR = 3600


def times(**parts: Any) -> tuple[Times, bool]:
    """Return the times, and whether anything is wrong with them."""
    faults = Faults()
    body = NewAlert.model_validate({"mode": "exercise", **parts}, strict=False)
    found = times_of(body, NOW, faults)
    return found, faults.are_about("expires_in") or faults.are_about("send_at")


def after(hours: float) -> str:
    return (to_datetime(NOW) + timedelta(hours=hours)).isoformat()


def test_urgent_alerts_go_stale_sooner() -> None:
    extreme, _ = times(severity="extreme")
    minor, _ = times(severity="minor")

    assert extreme.expires_at == NOW + seconds(4 * HOUR)
    assert minor.expires_at == NOW + seconds(24 * HOUR)


def test_life_that_nobody_chose_begins_when_it_is_sent() -> None:
    found, wrong = times(severity="severe", send_at=after(48))

    assert not wrong
    assert found.send_at == NOW + seconds(48 * HOUR)
    assert found.expires_at == NOW + seconds(52 * HOUR)


def test_instant_that_has_just_passed_means_now() -> None:
    found, wrong = times(send_at=after(-0.01))

    assert not wrong
    assert found.send_at is None


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ({"expires_in": 15}, False),
        ({"expires_in": 14}, True),
        ({"expires_in": 0}, True),
        ({"expires_in": -(2**62)}, True),
        ({"expires_in": 7 * 24 * HOUR}, False),
        ({"expires_in": 7 * 24 * HOUR + 1}, True),
        ({"expires_in": 2**62}, True),
        ({"send_at": after(2), "expires_in": 3 * HOUR}, False),
        ({"send_at": after(2), "expires_in": 2 * HOUR}, True),
        ({"send_at": after(-1)}, True),
        ({"send_at": after(400 * 24)}, True),
    ],
)
def test_times_are_bounded(parts: dict[str, Any], wrong: bool) -> None:  # noqa: FBT001 - a table's column
    assert times(**parts)[1] is wrong
