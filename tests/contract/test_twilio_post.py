"""A text goes out as Twilio's own SDK would send it, and its answer is read by the same rules."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.rest import Client

from channels._shared.twilio_http import PooledTwilioHttp
from channels.sms import Sms
from kentongan.alert import Lane, Option
from kentongan.message import Envelope
from kentongan.outcome import Accepted, Outcome, Reason, Unknown
from tests.fakes import servers
from tests.fakes.channels import TOKEN, CountingGate, envelope, wording
from tests.fakes.twilio import ACCOUNT, MESSAGE_SID, PERSON, SENDER, created, texting

SERVICE = "MG" + "d" * 32
KEY: dict[str, Any] = {"api_key": "SK" + "c" * 32, "api_secret": "the secret: äöü"}
#: What Twilio reads of a request; the rest says who wrote it.
MATTERS = ("authorization", "content-type", "accept", "accept-charset", "host")

UNICODE = "Banjir rob 🌊 & “naik”\n+50 % = 1,5 m; ~a*b (c) äé €"


async def ours(channel: Sms, to: Envelope, **words: Any) -> None:
    outcome = await channel.send(channel.prepare(wording(**words)), to, CountingGate())
    assert outcome == Accepted(MESSAGE_SID)


async def the_sdk_s(channel: Sms, to: Envelope, **words: Any) -> None:
    """Have the SDK create the same message."""
    settings = channel.settings
    sender = to.sender or channel.sender
    options = {"risk_check": "disable"} if settings.risk_check == "disable" else {}
    http = PooledTwilioHttp(base_url=settings.base_url, connect=3, total=5, connections=1)
    client = Client(*settings.credentials(), settings.account_sid, http_client=http)
    made = await client.messages.create_async(
        to=to.address,
        body=channel.prepare(wording(**words)).body,
        status_callback=channel.url_of("status", to),
        validity_period=int(min(to.remaining, 36_000)),
        smart_encoded=False,
        **{"messaging_service_sid" if sender.startswith("MG") else "from_": sender},
        **options,
    )
    await http.close()
    assert made.sid == MESSAGE_SID


def read(request: bytes) -> tuple[str, dict[str, str], list[tuple[str, str]]]:
    """Return the first line, the headers that matter, and the form, its fields in order."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(re.split(r":\s*", line, maxsplit=1) for line in lines)
    named = {name.lower(): value for name, value in headers.items()}
    form = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
    return first, {name: named[name] for name in MATTERS}, sorted(form)


@pytest.mark.parametrize(
    ("settings", "particulars", "words"),
    [
        ({}, {}, {}),
        ({"sender": SERVICE}, {}, {}),
        ({"sender": "Rob & Co", "risk_check": "disable"}, {}, {}),
        ({"sender": "12345"}, {"lane": Lane.ROUTINE}, {}),
        ({"sender": f"{SENDER},{SERVICE}"}, {"sender": SERVICE}, {}),
        (KEY, {"remaining": 90_000.5}, {}),
        ({}, {"remaining": 11.9}, {"text": UNICODE, "headline": "Ä"}),
        ({}, {}, {"options": (Option(key="1", label={"en": "Safe & sound"}),)}),
        ({}, {"address": "+12025550123"}, {"text": "a\x00b\ud800c\r\nd\te", "headline": ""}),
    ],
    ids=[
        *("number", "service", "name", "routine", "second sender", "key", "unicode", "options"),
        "controls",
    ],
)
async def test_request_is_the_one_that_the_sdk_writes(
    settings: dict[str, Any], particulars: dict[str, Any], words: dict[str, Any]
) -> None:
    to = replace(envelope(PERSON), **particulars)

    async with texting(created(), **settings) as (channel, heard):
        await ours(channel, to, **words)
        await the_sdk_s(channel, to, **words)

    mine, theirs = map(read, heard.requests)
    assert mine == theirs


async def test_request_is_written_to_the_account() -> None:
    async with texting(created(), **KEY) as (channel, heard):
        await ours(channel, envelope(PERSON))

    first, headers, _ = read(heard.requests[0])
    assert first == f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1"
    assert headers["authorization"].startswith("Basic ")
    assert TOKEN.encode() not in heard.everything


async def answered(talk: servers.Talk) -> Outcome:
    async with texting(talk, timeout=0.5) as (channel, _):
        prepared = channel.prepare(wording())
        return await channel.send(prepared, envelope(PERSON), CountingGate())


@pytest.mark.parametrize("status", [201, 400, 429])
async def test_answer_that_breaks_off_leaves_it_open(status: int) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: 900\r\n\r\n".encode()

    outcome = await answered(servers.saying(head + b'{"sid": "' + MESSAGE_SID.encode() + b'"}'))

    assert outcome == Unknown(Reason.NO_REPLY, "the answer broke off")


async def test_texts_and_questions_have_one_close() -> None:
    async with texting(created()) as (channel, _):
        await ours(channel, envelope(PERSON))
        await channel.fetch(MESSAGE_SID)
        await channel.close()
