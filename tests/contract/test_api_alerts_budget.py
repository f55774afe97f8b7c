"""A dry run tells what an alert would cost, and which caps it would meet."""

from typing import Any

import pytest

from kentongan.alert import Severity
from ledger.claims import claim
from ledger.engine import Ledger
from service.accepting import rehearsal
from service.wiring import House
from tests.fakes.alerting import BUDI, SITI, Village, alert, alerting_house, posted, settle_village
from tests.fakes.house import Client, Headers
from tests.fakes.running import expanded

pytestmark = pytest.mark.usefixtures("village")


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(
        ledger,
        KENTONGAN_PERSON_RATE="sms=1/1h",
        KENTONGAN_PRICES="sms=0.05,sms+62=0.03,email=0.001",
        KENTONGAN_SPEND_PER_DAY="0.1",
    )


@pytest.fixture
async def village(ledger: Ledger) -> Village:
    return await settle_village(ledger)


async def rehearsed(client: Client, caller: Headers, **changes: Any) -> dict[str, Any]:
    status, told = await posted(client, caller, alert(**changes), query="?dry_run=true")
    assert status == 200
    return told


async def texted(house: House, *addresses: str) -> None:
    """Have a message go to each of `addresses`."""
    people = {address: [("sms", address)] for address in addresses}
    running = await expanded(house.ledger, people, severity=Severity.EXTREME)
    async with house.ledger.write() as db:
        await claim(
            db,
            alert_id=running.alert.id,
            channel="sms",
            sender="+1500",
            worker="wrk_x",
            limit=9,
            terms=house.settings.caps.terms(running.alert, "sms"),
        )


def warned(told: dict[str, Any]) -> dict[str, str]:
    caps = ("person_rate", "spend_cap")
    return {one["code"]: one["warning"] for one in told["warnings"] if one["code"] in caps}


async def test_cost_is_told_by_channel(client: Client, officer: Headers) -> None:
    told = await rehearsed(client, officer)

    assert told["cost"] == {
        "currency": "USD",
        "total": "0.061",
        "channels": {"sms": "0.06", "email": "0.001"},
        "estimated": False,
    }
    assert warned(told) == {}


async def test_those_who_had_enough_lately_are_counted(
    house: House, client: Client, officer: Headers
) -> None:
    await texted(house, SITI, "+628111009999")

    told = await rehearsed(client, officer)

    assert warned(told)["person_rate"].startswith("1 would wait by sms")


async def test_cap_that_would_be_met_is_told_with_what_is_left(
    house: House, client: Client, officer: Headers
) -> None:
    await texted(house, "+628111009998", "+628111009999")

    told = await rehearsed(client, officer)

    assert warned(told) == {
        "spend_cap": "It costs 0.061 USD, and 0.04 USD may still be spent this day: what it cannot "
        "pay waits until that is over, or expires."
    }


async def test_extreme_alert_is_told_that_it_goes_beyond(
    house: House, client: Client, officer: Headers
) -> None:
    await texted(house, SITI, BUDI)

    told = await rehearsed(client, officer, severity="extreme")

    assert list(warned(told)) == ["spend_cap"]
    assert warned(told)["spend_cap"].endswith("it goes out all the same.")


async def test_test_costs_nothing(client: Client, officer: Headers) -> None:
    told = await rehearsed(client, officer, mode="test")

    assert told["cost"] is None
    assert warned(told) == {}


async def test_cost_of_a_crowd_is_reckoned_from_its_first(
    client: Client, officer: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "MOST_COUNTED", 1)
    monkeypatch.setattr(rehearsal, "PAGE", 2)

    told = await rehearsed(client, officer, channels=["sms"])

    assert told["people"] is None
    # Two of the three in the group were looked at, and cost 0.06 together.
    assert told["cost"] == {
        "currency": "USD",
        "total": "0.09",
        "channels": {"sms": "0.09"},
        "estimated": True,
    }
