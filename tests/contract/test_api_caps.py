"""`GET /v1/caps` shows what bounds messages and money, and how much of it is used."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from kentongan.alert import Severity
from kentongan.spending import ONE
from ledger.caps import spend
from ledger.claims import claim
from ledger.engine import Ledger, read_now
from service.metrics import metrics_app
from service.wiring import House
from tests.fakes.alerting import got
from tests.fakes.house import Client, Headers, made_house, serving
from tests.fakes.running import an_alert, expanded

CAPPED = {
    "KENTONGAN_PERSON_RATE": "sms=5/15m,voice=3/1h",
    "KENTONGAN_PRICES": "sms=0.05,sms+62=0.03",
    "KENTONGAN_SPEND_PER_DAY": "10",
    "KENTONGAN_CURRENCY": "IDR",
    "KENTONGAN_TIME_ZONE": "Asia/Jakarta",
    "KENTONGAN_COUNTRIES": "ID,SG",
}


@pytest.fixture
def house(ledger: Ledger) -> House:
    return made_house(ledger, environ=CAPPED)


async def spent(house: House, amount: float) -> None:
    terms = house.settings.caps.terms(an_alert(0), "sms")
    assert terms is not None
    async with house.ledger.write() as db:
        now = await read_now(db)
        await spend(db, terms, cost=int(amount * ONE), units=7, worker="wrk_x", now=now)


async def today(client: Client, caller: Headers) -> dict[str, Any]:
    status, told = await got(client, caller, "/v1/caps")
    assert status == 200
    day: dict[str, Any] = told["spending"]["periods"][0]
    return day


async def test_caps_are_shown_as_they_are_set(client: Client, officer: Headers) -> None:
    _, told = await got(client, officer, "/v1/caps")

    assert told["person_rate"]["sms"] == [{"most": 5, "seconds": 900}]
    assert told["countries"] == ["ID", "SG"]
    money = told["spending"]
    assert (money["currency"], money["time_zone"]) == ("IDR", "Asia/Jakarta")
    assert [(one["period"], one["cap"]) for one in money["periods"]] == [
        ("day", "10.00"),
        ("month", None),
    ]
    assert money["periods"][0]["ends_at"].endswith("T17:00:00Z")


async def test_what_was_spent_is_shown_by_channel(
    house: House, client: Client, auditor: Headers
) -> None:
    await spent(house, 2.5)

    day = await today(client, auditor)

    assert (day["spent"], day["left"], day["share"]) == ("2.50", "7.50", 0.25)
    assert day["channels"] == {"sms": {"units": 7, "cost": "2.50"}}


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (7.9, ("fine",)),
        (8, ("nearly", "80% of this day's spend cap is spent.")),
        (9.98, ("reached", "The spend cap of this day is reached; all but extreme waits.")),
        (12, ("reached", "The spend cap of this day is reached; all but extreme waits.")),
    ],
)
async def test_cap_that_comes_near_is_said_loudly(
    house: House, client: Client, admin: Headers, amount: float, said: tuple[str, ...]
) -> None:
    await spent(house, amount)

    day = await today(client, admin)
    _, ready = await got(client, admin, "/readyz")

    assert (day["level"], *(one for one in ready["degraded"] if "spend" in one)) == said


async def test_what_waits_because_of_a_cap_is_counted(
    house: House, client: Client, officer: Headers
) -> None:
    await spent(house, 10)
    running = await expanded(
        house.ledger, {"Siti": [("sms", "+1")], "Budi": [("sms", "+2")]}, severity=Severity.MINOR
    )
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

    _, told = await got(client, officer, "/v1/caps")

    assert told["held"] == [{"channel": "sms", "reason": "spend_cap", "deliveries": 2}]


async def test_without_settings_nothing_is_bounded(ledger: Ledger, officer: Headers) -> None:
    async with serving(made_house(ledger)) as client:
        status, told = await got(client, officer, "/v1/caps")

    assert status == 200
    assert told == {"person_rate": {}, "spending": None, "countries": [], "held": []}


async def test_integrations_are_not_told(client: Client, integration: Headers) -> None:
    status, _ = await got(client, integration, "/v1/caps")

    assert status == 403


async def test_money_is_measured(house: House) -> None:
    await spent(house, 2.5)
    app = metrics_app(house.metrics, house.ledger, house.settings.caps)

    async with TestClient(TestServer(app)) as scraper, scraper.get("/metrics") as answer:
        page = await answer.text()

    assert 'kentongan_spent{period="day"} 2.5' in page
    assert 'kentongan_spend_cap{period="day"} 10.0' in page
    assert 'kentongan_spend_cap{period="month"}' not in page
