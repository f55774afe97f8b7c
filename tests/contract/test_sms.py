"""An SMS says the alert, tells Twilio how long it is news, and is found again."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urldefrag, urlsplit

import pytest
from pydantic import ValidationError

from channels.sms import Sms, SmsSettings
from kentongan.alert import Mode, Option
from kentongan.channel import AddressError
from kentongan.ids import AttemptRef
from kentongan.message import Envelope
from kentongan.outcome import Accepted, NotBegun, Outcome, Reason, Refused
from kentongan.receipt import Inbound, Receipt, ReceiptKind
from tests.fakes.channels import TOKEN, CountingGate, deployment, envelope, simulator_at, wording
from tests.fakes.twilio import MESSAGE_SID, PERSON, SENDER, created, form_of, signed, sms, texting
from tests.fakes.twilio_schema import assert_allowed

OPTIONS = (Option(key="1", label={"id": "Aman"}), Option(key="2", label={"id": "Butuh bantuan"}))


async def sent(channel: Sms, to: Envelope | None = None, **words: Any) -> Outcome:
    prepared = channel.prepare(wording(**words))
    return await channel.send(prepared, to or envelope(PERSON), CountingGate())


def body_of(**words: Any) -> str:
    channel = sms("http://127.0.0.1:1")
    return channel.preview(channel.prepare(wording(**words))).text


# --- what it says


def test_headline_stands_first_and_the_answers_last() -> None:
    body = body_of(locale="id", headline="Banjir rob", text="Naik ke lantai dua.", options=OPTIONS)

    assert body == (
        "Banjir rob\nNaik ke lantai dua.\n1 = Aman\n2 = Butuh bantuan\nSemarang Flood Watch"
    )


def test_drill_ends_by_saying_that_it_was_one() -> None:
    body = body_of(
        locale="id",
        mode=Mode.EXERCISE,
        headline="LATIHAN: Banjir rob",
        text="LATIHAN: Naik ke lantai dua.\nIni hanya latihan.",
        options=OPTIONS,
    )

    assert body.startswith("LATIHAN: ")
    assert body.endswith("\nIni hanya latihan.")
    assert "\n2 = Butuh bantuan\n" in body


def test_who_speaks_is_left_out_where_it_would_cost_a_segment() -> None:
    fits, fits_not = body_of(headline="", text="a" * 130), body_of(headline="", text="a" * 150)

    assert fits.endswith("\nSemarang Flood Watch")
    assert fits_not == "a" * 150


def test_typography_is_not_paid_for() -> None:
    channel = sms("http://127.0.0.1:1")
    prepared = channel.prepare(wording(headline="", text="“Do wait…”" + "a" * 120))

    assert prepared.body.startswith('"Do wait..."')
    assert channel.units(prepared) == 1


def test_dear_letters_are_named_before_they_are_paid_for() -> None:
    channel = sms("http://127.0.0.1:1")

    preview = channel.preview(channel.prepare(wording(text="Banjir 🚨 " + "a" * 100)))

    assert preview.units == 2
    assert "🚨" in preview.notes[0]


def test_what_no_phone_can_show_is_not_sent() -> None:
    assert body_of(headline="A\x00B", text="C\ud800\x1bD\ufffe") == "AB\nCD\nSemarang Flood Watch"


async def test_text_that_twilio_would_not_take_is_refused_here() -> None:
    async with texting(created()) as (channel, heard):
        outcome = await sent(channel, text="a" * 1601)

    assert outcome == Refused(Reason.CONTENT, "over 1600 characters")
    assert heard.requests == []


# --- the request


async def test_request_is_one_that_twilio_publishes() -> None:
    async with texting(created()) as (channel, heard):
        await sent(channel, text="Banjir 🚨", options=OPTIONS)

    assert_allowed("Messages", form_of(heard.requests[0]))


async def test_attempt_and_lane_travel_in_the_callback_s_address() -> None:
    to = envelope(PERSON)
    async with texting(created()) as (channel, heard):
        await sent(channel, to)

    url, retries = urldefrag(form_of(heard.requests[0])["StatusCallback"][0])
    assert url.startswith("https://warn.example.org/callbacks/sms/status?")
    query = parse_qs(urlsplit(url).query)
    assert AttemptRef.parse(query["d"][0]) == to.attempt
    assert query["l"] == ["flash"]
    assert retries == "rc=5&rp=all"


@pytest.mark.parametrize(
    ("remaining", "validity"), [(10.9, "10"), (1.0, "1"), (36_000.5, "36000"), (90_000.0, "36000")]
)
async def test_twilio_is_told_how_long_it_is_news(remaining: float, validity: str) -> None:
    async with texting(created()) as (channel, heard):
        await sent(channel, envelope(PERSON, remaining=remaining))

    assert form_of(heard.requests[0])["ValidityPeriod"] == [validity]


async def test_what_is_no_longer_news_is_not_begun() -> None:
    gate = CountingGate()
    async with texting(created()) as (channel, heard):
        prepared = channel.prepare(wording())
        outcome = await channel.send(prepared, envelope(PERSON, remaining=0.9), gate)

    assert outcome == NotBegun(Reason.EXPIRED)
    assert (gate.asked, heard.requests) == (0, [])


async def test_segments_are_counted_by_us_alone() -> None:
    async with texting(created()) as (channel, heard):
        await sent(channel)

    assert form_of(heard.requests[0])["SmartEncoded"] == ["false"]


async def test_messaging_service_chooses_the_number() -> None:
    service = "MG" + "d" * 32
    async with texting(created(), sender=service) as (channel, heard):
        await sent(channel)

    form = form_of(heard.requests[0])
    assert form["MessagingServiceSid"] == [service]
    assert "From" not in form


async def test_pumping_protection_may_be_switched_off() -> None:
    async with texting(created(), risk_check="disable") as (channel, heard):
        await sent(channel)

    assert form_of(heard.requests[0])["RiskCheck"] == ["disable"]


# --- whom it may go to


@pytest.mark.parametrize(
    "written", ["+6281234567890", "0812-3456-7890", " (0812) 3456 7890", "081234567890"]
)
def test_number_has_one_normal_form(written: str) -> None:
    assert sms("http://127.0.0.1:1").check(written) == "+6281234567890"


@pytest.mark.parametrize(
    "written",
    [
        *("", "+", "12", "Siti 081234567890", "siti@example.org", "+62 812", "0" * 300),
        *("+6281234567890;ext=5", "tel:+6281234567890", "+448712345678901", "+44 909 879 0000"),
    ],
)
def test_what_is_no_number_for_us_is_refused_with_what_to_do(written: str) -> None:
    with pytest.raises(AddressError, match="is "):
        sms("http://127.0.0.1:1").check(written)


async def test_countries_that_are_not_allowed_are_refused_twice() -> None:
    place = replace(deployment(), countries=frozenset({"ID", "SG"}))

    async with texting(created(), place=place) as (channel, heard):
        assert channel.check("081234567890")
        with pytest.raises(AddressError, match="is in US; KENTONGAN_COUNTRIES allows ID, SG"):
            channel.check("+12025550123")
        outcome = await sent(channel, envelope("+12025550123"))

    assert outcome == Refused(Reason.COUNTRY_NOT_ALLOWED)
    assert heard.requests == []


async def test_what_no_cap_binds_goes_to_any_country() -> None:
    place = replace(deployment(), countries=frozenset({"ID"}))

    async with texting(created(), place=place) as (channel, heard):
        outcome = await sent(channel, envelope("+12025550123", capped=False))

    assert isinstance(outcome, Accepted)
    assert len(heard.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": "a name that is too long"},
        {"sender": "+0"},
        {"account_sid": "AC1"},
        {"auth_token": ""},
        {"auth_token": "one,two,three"},
        {"api_key": "SK" + "0" * 32},
        {"api_secret": "alone"},
        {"base_url": "ftp://example.org"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        sms("http://127.0.0.1:1", **wrong)


def test_practice_borrows_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KENTONGAN_SMS_API_KEY", "SK" + "0" * 32)
    monkeypatch.setenv("KENTONGAN_SMS_API_SECRET", "a real secret")

    practice = Sms.for_simulator(simulator_at("http://127.0.0.1:1", 1), deployment())

    assert practice.settings.credentials() == ("AC" + "0" * 32, TOKEN)
    assert isinstance(practice.settings, SmsSettings)


# --- callbacks


def test_receipt_finds_its_attempt_by_our_own_address() -> None:
    to = envelope(PERSON)
    form = {"MessageSid": MESSAGE_SID, "MessageStatus": "undelivered", "ErrorCode": "30003"}
    channel = sms("http://127.0.0.1:1")
    callback = signed("sms", "status", form, {"d": str(to.attempt), "l": "flash"})

    channel.authenticate(callback)

    assert channel.receipts(callback) == [
        Receipt(
            kind=ReceiptKind.FAILED,
            attempt=to.attempt,
            provider_id=MESSAGE_SID,
            reason=Reason.UNREACHABLE,
            transient=True,
            word="undelivered",
            code="30003",
        )
    ]


def test_reply_is_kept_as_it_was_written() -> None:
    form = {"MessageSid": MESSAGE_SID, "From": PERSON, "To": SENDER, "Body": " 1 aman 🙏 "}
    channel = sms("http://127.0.0.1:1")
    callback = signed("sms", "inbound", form)

    channel.authenticate(callback)

    assert channel.receipts(callback) == [
        Inbound(address=PERSON, to=SENDER, body=" 1 aman 🙏 ", provider_id=MESSAGE_SID)
    ]
    assert channel.answer(callback).body == "<Response/>"
    assert channel.answer(callback).content_type == "text/xml"


@pytest.mark.parametrize("sender", ["12345", "TELKOMSEL", "+1"])
def test_reply_from_no_number_keeps_its_sender(sender: str) -> None:
    callback = signed("sms", "inbound", {"MessageSid": MESSAGE_SID, "From": sender, "Body": "Hi"})

    [report] = sms("http://127.0.0.1:1").receipts(callback)

    assert isinstance(report, Inbound)
    assert report.address == sender


def test_callback_of_a_kind_we_do_not_know_is_no_report() -> None:
    form = {"MessageSid": MESSAGE_SID, "MessageStatus": "delivered"}

    assert list(sms("http://127.0.0.1:1").receipts(signed("sms", "gather", form))) == []


@pytest.mark.parametrize("headline", ["Move to higher ground.", "Move to higher…"])
async def test_headline_that_begins_the_text_is_said_once(headline: str) -> None:
    async with texting(created()) as (channel, _):
        prepared = channel.prepare(wording(headline=headline, text="Move to higher ground. Now."))

    assert channel.preview(prepared).text.count("Move to higher") == 1
