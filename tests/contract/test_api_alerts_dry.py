"""A dry run tells what would happen, and nothing does."""

import pytest

from ledger.engine import Ledger
from service.wiring import House
from tests.fakes.alerting import SITI, Village, alert, alerting_house, got, posted, settle_village
from tests.fakes.house import Client, Headers, QuietBell

pytestmark = pytest.mark.usefixtures("village")


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger)


@pytest.fixture
async def village(ledger: Ledger) -> Village:
    return await settle_village(ledger)


async def test_dry_run_counts_people_and_deliveries(
    client: Client, house: House, officer: Headers
) -> None:
    points = [
        {"channel": "sms", "address": SITI},  # hers: one message for both
        {"channel": "sms", "address": "0811 1000 003"},
    ]
    body = alert(mode="actual", audience={"groups": ["north"], "points": points})

    status, told = await posted(client, officer, body, query="?dry_run=true")

    assert status == 200
    assert told["people"] == 5
    assert told["deliveries"] == {"sms": 3, "email": 1}
    assert told["unreachable"] == {"no_contact_point": 1}
    assert told["suppressed"] == 0
    assert told["segments"] == {"en": 1, "id": 1}
    assert told["never_told"] is None
    _, listed = await got(client, officer, "/v1/alerts")
    assert listed["alerts"] == []
    assert isinstance(house.queue, QuietBell)
    assert house.queue.rung == []


async def test_dry_run_shows_the_texts_as_they_would_be_carried(
    client: Client, officer: Headers
) -> None:
    _, told = await posted(client, officer, alert(), query="?dry_run=true")

    texts = {(one["channel"], one["locale"]): one for one in told["texts"]}
    assert set(texts) == {("sms", "en"), ("sms", "id"), ("email", "en"), ("email", "id")}
    assert texts["sms", "id"]["text"].startswith("LATIHAN")
    assert texts["email", "en"]["subject"].startswith("EXERCISE")


async def test_plain_text_is_marked_as_a_drill_in_each_persons_language(
    client: Client, officer: Headers
) -> None:
    body = alert(text="Siren check at noon.", headline=None, channel_text={"sms": "Siren at noon."})

    _, told = await posted(client, officer, body, query="?dry_run=true")

    texts = {(one["channel"], one["locale"]): one for one in told["texts"]}
    assert set(texts) == {("sms", "en"), ("sms", "id"), ("email", "en"), ("email", "id")}
    assert set(told["segments"]) == {"en", "id"}
    assert "EXERCISE: Siren at noon." in texts["sms", "en"]["text"]
    assert "LATIHAN: Siren at noon." in texts["sms", "id"]["text"]
    assert "LATIHAN" not in texts["sms", "en"]["text"]
    assert texts["email", "en"]["subject"].startswith("EXERCISE")
    assert texts["email", "id"]["subject"].startswith("LATIHAN")


async def test_dry_run_warns_of_what_should_be_looked_at_again(
    client: Client, officer: Headers
) -> None:
    body = alert(text="Look at bit.ly/x", headline="Wet", blanks={"plcae": "North"})

    _, told = await posted(client, officer, body, query="?dry_run=true")

    assert {"link", "unused_blank"} <= {one["code"] for one in told["warnings"]}


async def test_suppressed_contact_points_are_told_apart(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    from ledger import suppressions
    from ledger.engine import read_now

    async with ledger.write() as db:
        now = await read_now(db)
        await suppressions.suppress(db, "sms", SITI, reason="asked", made_by="recipient", now=now)

    _, told = await posted(client, officer, alert(), query="?dry_run=true")

    assert told["deliveries"]["sms"] == 2
    assert told["units"]["sms"] == 1
    assert told["suppressed"] == 1


async def test_dry_run_tells_all_faults_too(client: Client, officer: Headers) -> None:
    status, told = await posted(
        client, officer, alert(audience={"groups": ["nowhere"]}), query="?dry_run=true"
    )

    assert status == 422
    assert [fault["at"] for fault in told["errors"]] == ["audience/groups/0"]
