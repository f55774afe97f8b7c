"""The list of countries keeps pasted numbers out of an alert, save where nothing may stop it."""

from typing import Any

import pytest

from ledger import alerts
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes.alerting import alert, alerting_house, posted
from tests.fakes.house import Client, Headers

ABROAD = "+1 202 555 0123"


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger, KENTONGAN_COUNTRIES="ID")


def abroad(**changes: Any) -> dict[str, Any]:
    points = [{"channel": "sms", "address": ABROAD}]
    return alert(audience={"points": points}, channels=["sms"], **changes)


async def test_number_abroad_is_refused_in_words(client: Client, officer: Headers) -> None:
    status, told = await posted(client, officer, abroad())

    assert status == 422
    [fault] = told["errors"]
    assert fault["at"] == "audience/points/0/address"
    assert fault["problem"] == "This is in US."
    assert "KENTONGAN_COUNTRIES allows ID" in fault["fix"]


@pytest.mark.parametrize("changes", [{"severity": "extreme"}, {"mode": "test"}])
async def test_number_abroad_is_taken_by_what_nothing_may_stop(
    client: Client, ledger: Ledger, officer: Headers, changes: dict[str, str]
) -> None:
    status, told = await posted(client, officer, abroad(**changes))

    assert status == 202
    async with ledger.read() as db:
        kept = await alerts.get(db, told["id"])
    assert kept is not None
    assert [point.address for point in kept.audience.points] == ["+12025550123"]


async def test_what_is_no_number_is_refused_all_the_same(client: Client, officer: Headers) -> None:
    body = abroad(severity="extreme")
    body["audience"]["points"][0]["address"] = "+1 202"

    status, _ = await posted(client, officer, body)

    assert status == 422
