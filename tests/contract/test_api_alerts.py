"""An alert that is answered 202 is committed, announced, and can be looked at and stopped."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from kentongan.access import Role
from ledger import alerts
from ledger.engine import Ledger
from ledger.schema_people import audit
from service.wiring import House
from templates.wording import wording_of
from tests.fakes.alerting import Village, alert, alerting_house, got, posted, settle_village
from tests.fakes.house import Client, Headers, QuietBell, key_of

pytestmark = pytest.mark.usefixtures("village")


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger, KENTONGAN_ORGANISATION="Flood Watch")


@pytest.fixture
async def village(ledger: Ledger) -> Village:
    return await settle_village(ledger)


async def ordered(client: Client, caller: Headers, alert_id: str, order: str) -> tuple[int, str]:
    async with client.post(f"/v1/alerts/{alert_id}/{order}", headers=caller) as answer:
        told = await answer.json()
        return answer.status, told.get("state") or told.get("detail", "")


async def test_accepted_alert_can_be_read_at_once(
    client: Client, house: House, officer: Headers
) -> None:
    status, accepted = await posted(client, officer, alert())

    assert (status, accepted["state"], accepted["people"]) == (202, "expanding", 3)
    _, read = await got(client, officer, accepted["links"]["self"])
    assert read["state"] == "expanding"
    assert read["words"]["id"]["headline"] == "Banjir"
    assert read["lane"] == "flash"
    assert read["made_by"]["name"] == "a test's officer"
    assert read["counts"]["people"]["total"] == 0
    assert isinstance(house.queue, QuietBell)
    assert house.queue.rung == [(accepted["id"], "flash")]


async def test_repeat_alerts_once_and_is_answered_as_the_first(
    client: Client, house: House, officer: Headers
) -> None:
    body = alert(mode="actual")
    first = await posted(client, officer, body, key="one")
    again = await posted(client, officer, body, key="one")
    other = await posted(client, officer, alert(mode="actual", source="x"), key="one")

    assert first == again
    assert first[0] == 202
    assert other[0] == 422
    _, listed = await got(client, officer, "/v1/alerts")
    assert [one["id"] for one in listed["alerts"]] == [first[1]["id"]]
    assert isinstance(house.queue, QuietBell)
    assert len(house.queue.rung) == 1


async def test_template_is_filled_in_every_language(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    body = {
        "mode": "exercise",
        "template": "flood",
        "blanks": {"place": "Semarang\u202e Utara", "until": "20:00"},
        "audience": {"groups": ["north"]},
    }

    _, accepted = await posted(client, officer, body)

    async with ledger.read() as db:
        kept = await alerts.get(db, accepted["id"])
    assert kept is not None
    assert kept.words["id"].headline == "Banjir di Semarang Utara"
    assert kept.words["en"].text.startswith("Flood Watch: FLOOD in Semarang Utara.")
    assert kept.channel_words["sms"]["en"].startswith("Flood Watch: FLOOD")
    assert set(kept.channels) == {"sms", "voice", "email", "webhook"}


async def test_plain_text_serves_everyone_whatever_they_speak(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    body = alert(text="Air naik.\nSegera ke atas.", headline=None)

    _, accepted = await posted(client, officer, body)

    async with ledger.read() as db:
        kept = await alerts.get(db, accepted["id"])
    assert kept is not None
    said = ("Air naik.", "Air naik.\nSegera ke atas.")
    assert {at: (w.headline, w.text) for at, w in kept.words.items()} == {"id": said, "en": said}


@pytest.mark.parametrize(
    ("speaks", "marked"),
    [("en", "EXERCISE: "), ("en-GB", "EXERCISE: "), ("id", "LATIHAN: "), (None, "LATIHAN: ")],
)
async def test_plain_text_of_a_drill_is_marked_in_the_language_of_its_reader(
    client: Client, officer: Headers, ledger: Ledger, speaks: str | None, marked: str
) -> None:
    _, accepted = await posted(client, officer, alert(text="Siren at noon.", headline=None))

    async with ledger.read() as db:
        kept = await alerts.get(db, accepted["id"])
    assert kept is not None
    shown = wording_of(kept, "sms", kept.locale_for(speaks, "id"))
    assert shown.headline == f"{marked}Siren at noon."
    assert shown.text.startswith(f"{marked}Siren at noon.")


async def test_scheduled_alert_waits_and_rings_nobody(
    client: Client, house: House, officer: Headers
) -> None:
    tomorrow = house.now() + timedelta(days=1)

    _, accepted = await posted(client, officer, alert(send_at=tomorrow.isoformat()))

    assert accepted["state"] == "scheduled"
    _, read = await got(client, officer, accepted["links"]["self"])
    assert read["state"] == "scheduled"
    assert isinstance(house.queue, QuietBell)
    assert house.queue.rung == []


async def test_orders_are_obeyed_and_may_be_repeated(
    client: Client, house: House, officer: Headers
) -> None:
    _, accepted = await posted(client, officer, alert())
    one = accepted["id"]

    assert await ordered(client, officer, one, "pause") == (200, "paused")
    assert await ordered(client, officer, one, "pause") == (200, "paused")
    assert await ordered(client, officer, one, "resume") == (200, "expanding")
    assert await ordered(client, officer, one, "stop") == (200, "stopped")
    assert await ordered(client, officer, one, "stop") == (200, "stopped")
    assert isinstance(house.queue, QuietBell)
    assert len(house.queue.rung) == 2  # when it was accepted, and when it was resumed


async def test_stopped_alert_is_not_resumed(client: Client, officer: Headers) -> None:
    _, accepted = await posted(client, officer, alert())
    await ordered(client, officer, accepted["id"], "stop")

    status, detail = await ordered(client, officer, accepted["id"], "resume")

    assert status == 409
    assert "stopped" in detail


async def test_list_is_paged_from_the_latest(client: Client, officer: Headers) -> None:
    made = [(await posted(client, officer, alert()))[1]["id"] for _ in range(3)]

    _, first = await got(client, officer, "/v1/alerts?limit=2")
    _, second = await got(client, officer, f"/v1/alerts?limit=2&cursor={first['next']}")
    _, none = await got(client, officer, "/v1/alerts?mode=actual&state=sent")

    assert [one["id"] for page in (first, second) for one in page["alerts"]] == made[::-1]
    assert second["next"] is None
    assert none["alerts"] == []


async def test_integration_sees_its_own_alerts_alone(
    client: Client, officer: Headers, integration: Headers, ledger: Ledger
) -> None:
    other = await key_of(ledger, Role.INTEGRATION, groups=("north",))
    _, theirs = await posted(client, officer, alert())
    status, own = await posted(client, integration, alert())

    _, listed = await got(client, integration, "/v1/alerts")

    assert status == 202
    assert [one["id"] for one in listed["alerts"]] == [own["id"]]
    assert (await got(client, integration, theirs["links"]["self"]))[0] == 404
    assert (await got(client, integration, theirs["links"]["deliveries"]))[0] == 404
    assert (await ordered(client, integration, theirs["id"], "stop"))[0] == 404
    assert (await got(client, other, own["links"]["self"]))[0] == 404


async def test_queue_that_is_away_does_not_keep_an_alert_out(
    client: Client, house: House, officer: Headers
) -> None:
    assert isinstance(house.queue, QuietBell)
    house.queue.away = True

    assert (await posted(client, officer, alert()))[0] == 202


async def test_what_was_done_is_audited_without_words_or_addresses(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    body = alert(audience={"points": [{"channel": "sms", "address": "+628111000009"}]})
    _, accepted = await posted(client, officer, body)
    await ordered(client, officer, accepted["id"], "pause")
    await ordered(client, officer, accepted["id"], "stop")
    await ordered(client, officer, accepted["id"], "stop")

    async with ledger.read() as db:
        rows = (await db.execute(select(audit).where(audit.c.subject == accepted["id"]))).all()

    assert [row.action for row in rows] == ["alert.accept", "alert.pause", "alert.stop"]
    assert rows[0].detail["people"] == 1
    assert "+62" not in str(rows)
    assert "Water" not in str(rows)
