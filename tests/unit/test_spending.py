"""Prices, amounts, and the days and months in which they add up."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.clock import to_datetime, to_micros
from kentongan.spending import Period, Prices, day_of, ends_at, first_day, read_amount, written

JAKARTA = ZoneInfo("Asia/Jakarta")
PRICES = Prices.parse(["sms=0.05", "sms+62=0.03", "sms+6285=0.02", "voice+62=0.1"])


@pytest.mark.parametrize(
    ("channel", "address", "units", "cost"),
    [
        ("sms", "+15005550006", 1, "0.05"),
        ("sms", "+628111000001", 3, "0.09"),
        ("sms", "+628511000001", 1, "0.02"),
        ("voice", "+628111000001", 1, "0.10"),
        ("voice", "+15005550006", 1, "0.00"),
        ("email", "siti@example.org", 1, "0.00"),
    ],
)
def test_longest_prefix_that_fits_gives_the_price(
    channel: str, address: str, units: int, cost: str
) -> None:
    assert written(PRICES.of(channel, address, units)) == cost


@given(st.integers(0, 10**18 - 1))
def test_amounts_are_read_as_they_are_written(amount: int) -> None:
    assert read_amount(written(amount)) == amount


@pytest.mark.parametrize("entry", ["sms", "sms=1,5", "sms=$1", "sms=-1", "sms=1e3", "+62=0.03"])
def test_price_that_cannot_be_read_is_told(entry: str) -> None:
    with pytest.raises(ValueError, match=r"write (sms|it)"):
        Prices.parse([entry])


def test_two_prices_for_one_thing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sms\+62 has two prices"):
        Prices.parse(["sms+62=1", "sms=1", "sms+62=2"])


def test_day_is_that_of_the_zone() -> None:
    late = to_micros(datetime(2026, 2, 28, 17, 30, tzinfo=UTC))

    assert day_of(late, JAKARTA) == date(2026, 3, 1)
    assert day_of(late, UTC) == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("period", "day", "zone", "end"),
    [
        (Period.DAY, date(2026, 2, 28), JAKARTA, datetime(2026, 2, 28, 17, tzinfo=UTC)),
        (Period.MONTH, date(2026, 12, 31), UTC, datetime(2027, 1, 1, tzinfo=UTC)),
        (Period.MONTH, date(2028, 2, 1), JAKARTA, datetime(2028, 2, 29, 17, tzinfo=UTC)),
        # The day on which clocks are put forward has 23 hours.
        (
            Period.DAY,
            date(2026, 3, 29),
            ZoneInfo("Europe/Berlin"),
            datetime(2026, 3, 29, 22, tzinfo=UTC),
        ),
    ],
)
def test_period_ends_at_midnight_in_the_zone(
    period: Period, day: date, zone: ZoneInfo, end: datetime
) -> None:
    assert to_datetime(ends_at(period, day, zone)) == end
    assert day_of(ends_at(period, day, zone) - 1, zone) >= day


@given(st.dates(date(2000, 1, 1), date(2190, 12, 31)))
def test_every_day_lies_in_its_month(day: date) -> None:
    begins = first_day(Period.MONTH, day)

    assert begins.day == 1
    assert begins <= day
    assert ends_at(Period.MONTH, begins, UTC) == ends_at(Period.MONTH, day, UTC)
