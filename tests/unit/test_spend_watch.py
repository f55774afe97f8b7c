"""A spend cap that comes near is said once, and louder when it is reached."""

import pytest

from kentongan.caps import Caps
from kentongan.spending import ONE, Period, Prices, Standing
from workers.spend_watch import SpendWatch

CAPS = Caps(prices=Prices.parse(["sms=0.05"]), currency="USD", most={Period.DAY: 10 * ONE})


def standing(spent: float, *, ends_at: int = 1, period: Period = Period.DAY) -> Standing:
    return Standing(period=period, spent=int(spent * ONE), most=10 * ONE, ends_at=ends_at)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_each_step_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = SpendWatch(CAPS)

    for spent in (7.9, 8, 9, 9.9, 9.96, 12):
        watch.look([standing(spent), standing(0, ends_at=9, period=Period.MONTH)])

    assert said(caplog) == [
        ("WARNING", "spend cap is nearly reached"),
        ("ERROR", "spend cap is reached"),
    ]


def test_next_day_is_said_anew(caplog: pytest.LogCaptureFixture) -> None:
    watch = SpendWatch(CAPS)

    watch.look([standing(8)])
    watch.look([standing(8, ends_at=2)])

    assert len(said(caplog)) == 2
