"""What a provider says is written down, then answered; what a stranger says changes nothing."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from typing_extensions import override

from channels._shared.smtp_verp import verp_address
from channels.sms import Sms
from kentongan.channel import Answer, Callback
from kentongan.ids import AttemptRef
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes import asked
from tests.fakes.callbacks import (
    PUBLIC,
    TOKEN,
    channels_of,
    inbound_form,
    rung,
    status_form,
    told,
    two_sided,
)
from tests.fakes.house import Client, made_house, serving


@pytest.fixture
async def house(ledger: Ledger) -> AsyncIterator[House]:
    async with two_sided(ledger) as ready:
        yield ready


async def test_receipt_is_kept_raw_then_answered_and_a_merge_is_rung(
    client: Client, house: House, ledger: Ledger
) -> None:
    one = await asked.asked(ledger)
    target = f"/callbacks/sms/status?d={AttemptRef(one, 1)}&l=flash"

    status, _, _ = await told(client, target, status_form())

    [event] = await asked.kept(ledger)
    assert status == 200
    assert (event.channel, event.kind, event.delivery_id, event.no) == ("sms", "status", one, 1)
    assert event.joined_at is None
    assert Callback.from_json(event.payload) == Callback(
        kind="status",
        url=PUBLIC + target,
        query={"d": str(AttemptRef(one, 1)), "l": "flash"},
        form={name: (value,) for name, value in status_form().items()},
    )
    assert TOKEN not in str(event.payload)
    assert rung(house) == [("receipts", "flash")]


async def test_receipt_of_an_unknown_status_or_attempt_is_kept_alike(
    client: Client, ledger: Ledger
) -> None:
    forms = [
        status_form(MessageStatus="teleported", ErrorCode="99999", NewField="x"),
        {"Nothing": "we know"},
        {},
    ]
    for form in forms:
        status, _, _ = await told(client, "/callbacks/sms/status?d=nonsense", form)
        assert status == 200

    assert len(await asked.kept(ledger)) == 3


@pytest.mark.parametrize("kind", ["status", "inbound"])
@pytest.mark.parametrize(
    "forgery",
    [
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": "é"},
        {"token": "f" * 32},
        {"body": b"MessageSid=SM1&MessageStatus=delivered&extra=1"},
        {"body": b"MessageStatus=%ff"},
        {"body": b"\xff\xfe"},
        {"body": b"a=1&" * 1001},
        {"body": b'{"MessageStatus": "delivered"}', "headers": {"Content-Type": "text/json"}},
        {"headers": {"X-Twilio-Webhooks-Signature-Settings": "algorithm=HMAC_SHA256"}},
    ],
    ids=str,
)
async def test_forged_callback_is_refused_and_changes_nothing(
    client: Client, house: House, caplog: pytest.LogCaptureFixture, kind: str, forgery: Any
) -> None:
    ledger = house.ledger
    caplog.set_level(logging.DEBUG)
    form = {**status_form(), **inbound_form("STOP canary")}

    status, _, _ = await told(client, f"/callbacks/sms/{kind}", form, **forgery)

    assert status == 403
    assert await asked.kept(ledger) == []
    assert await asked.messages(ledger) == []
    assert rung(house) == []
    assert "canary" not in caplog.text
    assert asked.PHONE not in caplog.text


async def test_neither_host_nor_proxy_says_what_was_signed(client: Client) -> None:
    target = "/callbacks/sms/status?d=%41b&x=%2F+y"

    lied = {"Host": "localhost", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}

    assert (await told(client, target, status_form(), headers=lied))[0] == 200
    assert (await told(client, target + "&l=flash", status_form()))[0] == 200


async def test_changed_query_breaks_the_signature(client: Client) -> None:
    signed = RequestValidator(TOKEN).compute_signature(
        f"{PUBLIC}/callbacks/sms/status?d=1", status_form()
    )

    status, _, _ = await told(client, "/callbacks/sms/status?d=2", status_form(), signature=signed)

    assert status == 403


@pytest.mark.parametrize(
    "target",
    ["/callbacks/pigeon/status", "/callbacks/sms/poll", "/callbacks/sms/late_outcome",
     "/callbacks/SMS/status", "/callbacks/sms/status/more", "/callbacks/sms/"],
)  # fmt: skip
async def test_what_nobody_was_told_to_call_does_not_exist(client: Client, target: str) -> None:
    status, _, _ = await told(client, target, status_form())

    assert status == 404


async def test_bounce_is_not_taken_from_whoever_saw_a_return_path(
    client: Client, house: House, ledger: Ledger
) -> None:
    one = await asked.asked(ledger)
    path = verp_address(house.keyring, AttemptRef(one, 1), "bounce.example")
    target = f"/callbacks/email/bounce?{urlencode({'to': path})}"

    status, _, _ = await told(client, target, {}, body=b"Subject: failed\r\n\r\nx")

    assert status == 404
    assert await asked.kept(ledger) == []


async def test_larger_form_than_any_provider_sends_is_refused(client: Client) -> None:
    form = status_form(Body="x" * 70_000)

    assert (await told(client, "/callbacks/sms/status", form))[0] == 413


async def test_get_is_no_callback(client: Client) -> None:
    async with client.get("/callbacks/sms/status") as answer:
        assert answer.status == 405


async def test_every_value_of_a_repeated_field_is_signed_and_kept(
    client: Client, ledger: Ledger
) -> None:
    form = {**status_form(), "Tag": ["b", "a", ""]}

    status, _, _ = await told(client, "/callbacks/sms/status", form)

    [event] = await asked.kept(ledger)
    assert status == 200
    assert event.payload["form"]["Tag"] == ["b", "a", ""]


async def test_away_ledger_is_503_so_that_the_provider_repeats(
    client: Client, house: House, tmp_path: Path
) -> None:
    await asked.asked(house.ledger)
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        status, _, _ = await told(client, "/callbacks/sms/inbound", inbound_form("STOP"))
        other.execute("ROLLBACK")
    other.close()

    assert status == 503
    assert await asked.kept(house.ledger) == []
    assert await asked.messages(house.ledger) == []


async def test_ids_too_long_for_any_index_are_kept_and_not_read(
    client: Client, house: House, ledger: Ledger
) -> None:
    long = "S" * 20_000

    for target in ("/callbacks/sms/status", "/callbacks/sms/inbound"):
        form = {**inbound_form("STOP", long), "MessageStatus": "sent"}
        assert (await told(client, target, form))[0] == 200

    assert [bool(event.joined_at) for event in await asked.kept(ledger)] == [True, True]
    assert await asked.messages(ledger) == []
    assert rung(house) == []


async def test_bug_in_a_channel_loses_nothing_that_was_said(ledger: Ledger) -> None:
    class Broken(Sms):
        @override
        def receipts(self, callback: Callback) -> Any:
            raise RuntimeError(callback.kind)

        @override
        def answer(self, callback: Callback) -> Answer:
            raise RuntimeError(callback.kind)

    sound = channels_of(made_house(ledger), TOKEN)["sms"]
    broken = Broken(sound.settings, sound.deployment)

    async with serving(made_house(ledger, channels={"sms": broken})) as client:
        status, _, _ = await told(client, "/callbacks/sms/status", status_form())
    await asyncio.gather(sound.close(), broken.close())

    assert status == 200
    assert len(await asked.kept(ledger)) == 1


_text = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
_names = st.sampled_from(
    ["MessageSid", "SmsSid", "MessageStatus", "ErrorCode", "From", "To", "Body", "CallSid",
     "CallStatus", "AnsweredBy", "Digits", "SipResponseCode"]
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.dictionaries(_names | _text, _text, max_size=8),
    where=st.sampled_from(
        ["sms/status", "sms/inbound", "voice/status", "voice/gather", "sms/later", "email/status"]
    ),
    query=st.dictionaries(st.sampled_from(["d", "l", "lang", "x"]), _text, max_size=3),
)
async def test_no_garbage_with_a_true_signature_is_a_fault_of_ours(
    client: Client, form: dict[str, str], where: str, query: dict[str, str]
) -> None:
    target = f"/callbacks/{where}" + (f"?{urlencode(query)}" if query else "")

    status, _, _ = await told(client, target, form)

    if where.startswith("email"):
        assert status in (400, 403)
    else:
        assert status == (400 if "%00" in target else 200)
