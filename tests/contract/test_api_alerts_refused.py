"""What is wrong with an alert is told all at once, with what would mend it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.clock import seconds
from ledger.engine import Ledger
from ledger.schema_people import audit
from service.wiring import House
from tests.fakes.alerting import Village, alert, alerting_house, got, posted, settle_village
from tests.fakes.house import Client, Headers, key_of, made_house, serving

pytestmark = pytest.mark.usefixtures("village")

NOBODY = "rcp_" + "0" * 26
NO_ALERT = "alr_" + "0" * 26


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger)


@pytest.fixture
async def village(ledger: Ledger) -> Village:
    return await settle_village(ledger)


async def faults(client: Client, caller: Headers, **changes: Any) -> dict[str, str]:
    """Return the fixes by place; nothing may have been stored."""
    status, answer = await posted(client, caller, alert(**changes))
    assert status == 422, answer
    assert all(fault["fix"] for fault in answer["errors"])
    _, listed = await got(client, caller, "/v1/alerts")
    assert listed["alerts"] == []
    return {fault["at"]: fault["fix"] for fault in answer["errors"]}


async def test_all_faults_are_told_at_once(client: Client, officer: Headers) -> None:
    found = await faults(
        client,
        officer,
        text=None,
        headline=None,
        template="flood",
        audience={
            "groups": ["nort"],
            "recipients": [NOBODY],
            "points": [{"channel": "sms", "address": "12"}],
            "of": {"alert": NO_ALERT, "who": "not_reached"},
        },
        channels=["sms", "smoke"],
        expires_in=-1,
        options=[{"key": "1", "label": "Safe"}, {"key": "1", "label": "Help"}],
    )

    assert set(found) == {
        "blanks/place",
        "blanks/until",
        "audience/groups/0",
        "audience/recipients/0",
        "audience/points/0/address",
        "audience/of/alert",
        "channels/1",
        "expires_in",
        "options/1/key",
    }
    assert "North Semarang" in found["blanks/place"]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"text": None}, "text"),
        ({"template": "flood"}, "text"),
        ({"text": None, "headline": None, "template": "flod"}, "template"),
        ({"text": "((place)) is wet", "headline": "Wet"}, "blanks/place"),
        ({"text": "\u200b"}, "text"),
        ({"text": "x" * 5000, "headline": "Long"}, "text/id"),
        ({"headline": {"en": "h" * 201, "id": "b"}}, "headline/en"),
        ({"headline": {"en": "Flood"}}, "headline/id"),
        ({"channel_text": {"sms": {"jv": "…"}}}, "channel_text/sms/jv"),
        ({"channel_text": {"smoke": "Puff"}}, "channel_text/smoke"),
        ({"audience": {}}, "audience"),
        ({"audience": {"groups": ["south"]}}, "audience"),
        ({"audience": {"points": [{"channel": "voice", "address": "+62811"}]}},
         "audience/points/0/channel"),
        ({"expires_in": 5}, "expires_in"),
        ({"expires_in": 30 * 86_400}, "expires_in"),
        ({"expires_in": 2**62}, "expires_in"),
        ({"send_at": "2020-01-01T00:00:00Z"}, "send_at"),
        ({"send_at": "2199-01-01T00:00:00Z"}, "send_at"),
        ({"type": "update"}, "references"),
        ({"type": "cancel"}, "references"),
        ({"references": [NO_ALERT]}, "references"),
        ({"stop_original": True}, "stop_original"),
        ({"type": "update", "references": [NO_ALERT]}, "references/0"),
        ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
async def test_fault_is_named_where_it_is(
    client: Client, officer: Headers, changes: dict[str, Any], at: str
) -> None:
    assert at in await faults(client, officer, **changes)


async def test_expiry_before_sending_is_a_fault(
    client: Client, house: House, officer: Headers
) -> None:
    tonight = (house.now() + timedelta(hours=9)).isoformat()

    found = await faults(client, officer, send_at=tonight, expires_in=3600)

    assert set(found) == {"send_at"}


async def test_actual_alert_needs_an_idempotency_key(client: Client, officer: Headers) -> None:
    status, answer = await posted(client, officer, alert(mode="actual"))

    assert status == 400
    assert "Idempotency-Key" in answer["fix"]


async def test_mode_that_was_not_granted_is_forbidden(client: Client, ledger: Ledger) -> None:
    drills_only = await key_of(ledger, Role.OFFICER, modes=(Mode.EXERCISE,))

    status, answer = await posted(client, drills_only, alert(mode="actual"), key="a")

    assert status == 403
    assert "exercise" in answer["fix"]


async def test_test_without_a_simulator_is_refused(ledger: Ledger, officer: Headers) -> None:
    async with serving(made_house(ledger)) as client:
        status, answer = await posted(client, officer, alert(mode="test"))

    assert status == 422
    assert any("KENTONGAN_SIMULATOR_URL" in fault["fix"] for fault in answer["errors"])


async def test_channel_that_is_not_configured_is_refused(ledger: Ledger, officer: Headers) -> None:
    async with serving(made_house(ledger)) as client:
        status, answer = await posted(client, officer, alert())

    assert status == 422
    assert {fault["at"] for fault in answer["errors"]} >= {"channels/0", "channels/1"}


async def test_auditor_makes_no_alert(client: Client, auditor: Headers) -> None:
    assert (await posted(client, auditor, alert()))[0] == 403


async def test_integration_alerts_only_its_groups(client: Client, integration: Headers) -> None:
    found = await faults(
        client,
        integration,
        audience={
            "groups": ["north", "south"],
            "recipients": [NOBODY],
            "points": [{"channel": "sms", "address": "+628111000009"}],
        },
    )

    assert {"audience/groups/1", "audience/points", "audience/recipients"} <= set(found)
    assert "audience/groups/0" not in found


async def test_integration_keeps_its_ceilings(client: Client, ledger: Ledger) -> None:
    small = await key_of(ledger, Role.INTEGRATION, groups=("north",), people=2)
    enough = await key_of(ledger, Role.INTEGRATION, groups=("north",), people=5)

    too_many = await posted(client, small, alert())
    first = await posted(client, enough, alert())
    status, answer = await posted(client, enough, alert())

    assert too_many[0] == 422
    assert first[0] == 202
    assert status == 429
    assert "3 were alerted already" in answer["detail"]
    assert "wait" in answer["fix"]


async def test_refusal_of_the_hour_tells_when_to_come_again(client: Client, ledger: Ledger) -> None:
    key = await key_of(ledger, Role.INTEGRATION, groups=("north",), people=5)
    await posted(client, key, alert())
    async with ledger.write() as db:  # twenty minutes ago, that is
        await db.execute(update(audit).values(at=audit.c.at - seconds(1200)))

    async with client.post("/v1/alerts", headers=key, json=alert()) as answer:
        assert answer.status == 429
        wait = int(answer.headers["Retry-After"])

    # Forty minutes, but for the time that this test took.
    assert 1200 < wait <= 2401


async def test_parts_that_fit_one_by_one_and_not_together_are_refused(
    client: Client, officer: Headers
) -> None:
    nine = [{"key": str(key), "label": "o" * 60} for key in range(1, 10)]

    found = await faults(
        client,
        officer,
        text={"en": "a" * 1100},
        headline={"en": "h" * 180},
        options=nine,
        channels=["sms", "voice", "email"],
    )

    assert set(found) == {"text/en"}
    assert "channel_text/sms" in found["text/en"] or "channel_text/voice" in found["text/en"]
