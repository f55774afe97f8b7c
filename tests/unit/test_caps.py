"""Which alerts caps bind, and what they ask of a channel."""

from typing import Any

import pytest

from kentongan.alert import AlertType, Mode, Severity, Urgency
from kentongan.caps import Caps, is_capped
from kentongan.ids import new_alert_id
from kentongan.person_rate import parse
from kentongan.spending import Period, Prices
from tests.fakes.running import an_alert

CAPS = Caps(
    person_rate=parse(["sms=5/15m"]),
    prices=Prices.parse(["voice=1"]),
    currency="USD",
    most={Period.DAY: 1},
)


@pytest.mark.parametrize(
    ("changes", "bound"),
    [
        ({"severity": Severity.SEVERE, "urgency": Urgency.IMMEDIATE}, True),
        ({"severity": Severity.MINOR}, True),
        ({"severity": Severity.EXTREME}, False),
        ({"severity": Severity.EXTREME, "mode": Mode.EXERCISE}, False),
        ({"mode": Mode.TEST}, False),
        ({"type": AlertType.UPDATE}, True),
        ({"type": AlertType.UPDATE, "corrects": new_alert_id()}, False),
        ({"type": AlertType.CANCEL, "corrects": new_alert_id()}, False),
        ({"type": AlertType.UPDATE, "body": {"template": "all_clear"}}, False),
        ({"type": AlertType.ALERT, "body": {"template": "all_clear"}}, True),
    ],
)
def test_caps_bind_all_but_what_is_extreme_or_takes_something_back(
    changes: dict[str, Any], *, bound: bool
) -> None:
    assert is_capped(an_alert(0, **changes)) is bound


def test_channel_that_nothing_is_set_for_has_no_terms() -> None:
    assert CAPS.terms(an_alert(0), "email") is None
    assert Caps().terms(an_alert(0), "sms") is None


def test_extreme_is_counted_where_there_are_prices_and_else_left_alone() -> None:
    extreme = an_alert(0, severity=Severity.EXTREME)

    assert CAPS.terms(extreme, "sms") is None
    counted = CAPS.terms(extreme, "voice")
    assert counted is not None
    assert not counted.may_hold


def test_misspelt_channels_are_found() -> None:
    found = list(CAPS.strangers({"sms", "email"}))

    assert found == [("prices", "voice")]
