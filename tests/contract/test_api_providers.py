"""`/v1/providers` and `/readyz` show who carries a channel, and say it where nobody does."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from ledger import providers, senders, tallies
from ledger.engine import Ledger
from ledger.tallies import Tally
from service.metrics import metrics_app
from service.wiring import House
from tests.fakes.house import Client, Headers

MAIN, SECOND = ("sms", "main"), ("sms", "second")


@pytest.fixture(autouse=True)
async def _known(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await providers.register(db, [MAIN, SECOND, ("sms", "simulator")])


async def fault(ledger: Ledger, *who: providers.Who) -> None:
    async with ledger.write() as db:
        for one in who:
            await providers.note_faults(db, one, faults=3, reason="account", detail="20003: no")


async def degraded(client: Client) -> str:
    async with client.get("/readyz") as answer:
        assert answer.status == 200
        return " ".join((await answer.json())["degraded"])


async def test_providers_are_shown_with_what_they_did(
    client: Client, ledger: Ledger, officer: Headers
) -> None:
    async with ledger.write() as db:
        await providers.move(db, "sms", {"main": 40, "second": 60})
        await tallies.add(db, {MAIN: Tally(7, 3)})
        await senders.set_aside(db, (*SECOND, "+1501"), reason="sender", detail="21606")
    await fault(ledger, MAIN)

    async with client.get("/v1/providers", headers=officer) as answer:
        told = await answer.json()

    [sms] = told["channels"]
    assert not sms["fails"]
    main, practice, second = sorted(sms["providers"], key=lambda one: one["provider"] != "main")
    assert (main["share"], main["circuit"], main["reason"]) == (40, "open", "account")
    assert (main["handed"], main["errors"], main["detail"]) == (7, 3, "20003: no")
    assert {practice["provider"], second["provider"]} == {"simulator", "second"}
    aside = [one for p in sms["providers"] for one in p["senders_aside"]]
    assert [one["sender"] for one in aside] == ["+1501"]


async def test_key_of_another_system_is_told_nothing(client: Client, integration: Headers) -> None:
    async with client.get("/v1/providers", headers=integration) as answer:
        assert answer.status == 403


async def test_one_provider_that_is_aside_is_named_and_the_channel_goes_on(
    client: Client, ledger: Ledger
) -> None:
    await fault(ledger, MAIN)

    said = await degraded(client)

    assert "Provider main of sms is set aside (account)." in said
    assert "Channel sms" not in said


async def test_channel_that_nobody_carries_any_more_is_said_loudly(
    client: Client, ledger: Ledger, officer: Headers
) -> None:
    await fault(ledger, MAIN, SECOND)

    assert "Channel sms is stopped by faults." in await degraded(client)
    async with client.get("/v1/providers", headers=officer) as answer:
        assert (await answer.json())["channels"][0]["fails"]


async def test_trouble_in_practice_is_none_of_the_real_providers(
    client: Client, ledger: Ledger
) -> None:
    await fault(ledger, ("sms", "simulator"))

    said = await degraded(client)

    assert "Practice on sms is set aside" in said
    assert "Provider" not in said


async def test_metrics_tell_who_is_set_aside_and_where_traffic_goes(
    house: House, ledger: Ledger
) -> None:
    await fault(ledger, MAIN)
    async with ledger.write() as db:
        await providers.move(db, "sms", {"main": 10, "second": 90})

    async with (
        TestClient(TestServer(metrics_app(house.metrics, ledger))) as scraper,
        scraper.get("/metrics") as page,
    ):
        text = await page.text()

    assert 'kentongan_provider_up{channel="sms",provider="main"} 0.0' in text
    assert 'kentongan_provider_up{channel="sms",provider="second"} 1.0' in text
    assert 'kentongan_provider_share{channel="sms",provider="second"} 90.0' in text
