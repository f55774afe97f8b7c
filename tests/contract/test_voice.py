"""A call says the alert twice in its listener's language, and only a person's key answers it."""

from typing import Any
from urllib.parse import parse_qs, urldefrag, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from channels.voice import Voice
from kentongan.alert import Mode, Option
from kentongan.ids import AttemptRef
from kentongan.message import Envelope, Wording
from kentongan.outcome import Accepted, Outcome, Reason, Refused
from kentongan.receipt import Pressed, Receipt, ReceiptKind
from tests.fakes.channels import (
    CountingGate,
    envelope,
    wording,
    wordings,
)
from tests.fakes.twilio import CALL_SID, PERSON, SENDER, calling, created, form_of, signed, voice
from tests.fakes.twilio_schema import assert_allowed

OPTIONS = (
    Option(key="1", label={"id": "Aman", "en": "Safe"}),
    Option(key="2", label={"id": "Butuh bantuan", "en": "Need help"}),
)
NOWHERE = "http://127.0.0.1:1"


async def called(channel: Voice, to: Envelope | None = None, **words: Any) -> Outcome:
    prepared = channel.prepare(wording(**words))
    return await channel.send(prepared, to or envelope(PERSON), CountingGate())


def twiml_of(channel: Voice, **words: Any) -> ET.Element:
    """Return the document of a call, which the simulator's own rules must allow."""
    twiml = channel.prepare(wording(**words)).with_action("https://here.example.org/a?d=1&l=2")
    return ET.fromstring(twiml)


def spoken(document: ET.Element) -> list[str]:
    return [say.text or "" for say in document.iter("Say")]


def voices(document: ET.Element) -> set[tuple[str | None, str | None]]:
    return {(say.get("language"), say.get("voice")) for say in document.iter("Say")}


# --- what it says


def test_text_is_said_twice_with_its_answers_before_goodbye() -> None:
    document = twiml_of(
        voice(NOWHERE), locale="id", headline="Banjir rob", text="Naik\nsekarang!", options=OPTIONS
    )

    said = "Banjir rob. Naik. sekarang! Tekan 1 untuk: Aman. Tekan 2 untuk: Butuh bantuan."
    assert spoken(document) == [said, said, "Sampai jumpa."]
    assert [each.tag for each in document] == ["Gather", "Say"]
    assert document[0].attrib == {
        "action": "https://here.example.org/a?d=1&l=2",
        "input": "dtmf",
        "method": "POST",
        "numDigits": "1",
        "timeout": "8",
    }


def test_alert_that_asks_nothing_asks_whether_it_was_heard() -> None:
    [said, _, _] = spoken(twiml_of(voice(NOWHERE), headline="Flood", text="Go up."))

    assert said == "Flood. Go up. Press 1 to confirm that you have heard this message."


def test_drill_ends_by_saying_that_it_was_one() -> None:
    document = twiml_of(
        voice(NOWHERE),
        mode=Mode.EXERCISE,
        headline="EXERCISE: Flood",
        text="EXERCISE: Go up.\nThis is only an exercise.",
    )

    [said, _, goodbye] = spoken(document)
    assert said.startswith("EXERCISE: ")
    assert said.endswith(" This is only an exercise.")
    assert goodbye == "Goodbye. This is only an exercise."


@pytest.mark.parametrize(
    ("locale", "speaker"),
    [
        ("id", ("id-ID", "Google.id-ID-Standard-A")),
        ("id-ID", ("id-ID", "Google.id-ID-Standard-A")),
        ("en", ("en-GB", "Google.en-GB-Standard-A")),
        ("en_US", ("en-GB", "Google.en-GB-Standard-A")),
        ("jv", ("en-GB", "Google.en-GB-Standard-A")),
        ("", ("en-GB", "Google.en-GB-Standard-A")),
    ],
)
def test_voice_speaks_the_locale_s_language(locale: str, speaker: tuple[str, str]) -> None:
    assert voices(twiml_of(voice(NOWHERE), locale=locale)) == {speaker}


def test_voices_can_be_chosen() -> None:
    channel = voice(NOWHERE, voices="en-US=Polly.Joanna, en-GB=Polly.Amy")

    assert voices(twiml_of(channel, locale="en-GB")) == {("en-GB", "Polly.Amy")}
    assert voices(twiml_of(channel, locale="en")) == {("en-US", "Polly.Joanna")}
    assert voices(twiml_of(voice(NOWHERE, voices=""), locale="id")) == {
        ("en-GB", "Google.en-GB-Standard-A")
    }


@pytest.mark.parametrize(
    "wrong", [{"voices": "english"}, {"sender": "NAME"}, {"ring_seconds": "0"}], ids=str
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        voice(NOWHERE, **wrong)


@settings(deadline=None)
@given(words=wordings())
def test_no_words_break_the_document(words: Wording) -> None:
    prepared = voice(NOWHERE).prepare(words)

    document = ET.fromstring(prepared.with_action("https://here.example.org/?d=1&l=2"))

    assert [each.tag for each in document.iter()] == [
        *("Response", "Gather", "Say", "Pause", "Say", "Say")
    ]


def test_markup_in_words_stays_words() -> None:
    [said, _, _] = spoken(
        twiml_of(voice(NOWHERE), headline="", text="</Say><Hangup/> @action@ R&D\x07")
    )

    assert said.startswith("/Say Hangup/ @action@ R and D.")


async def test_longest_text_that_is_promised_fits() -> None:
    headline, text = "h" * Voice.limits.headline, "t" * Voice.limits.text

    async with calling(created(CALL_SID)) as (channel, _):
        outcome = await called(channel, headline=headline, text=text, options=OPTIONS)

    assert outcome == Accepted(CALL_SID)


async def test_document_that_twilio_would_not_take_is_refused_here() -> None:
    async with calling(created(CALL_SID)) as (channel, heard):
        outcome = await called(channel, text="a" * 2000)

    assert outcome == Refused(Reason.CONTENT, "over 4000 characters of TwiML")
    assert heard.requests == []


# --- the request


async def test_request_is_one_that_twilio_publishes() -> None:
    async with calling(created(CALL_SID)) as (channel, heard):
        await called(channel, options=OPTIONS)

    assert_allowed("Calls", form_of(heard.requests[0]))


async def test_attempt_travels_in_both_addresses() -> None:
    to = envelope(PERSON)
    async with calling(created(CALL_SID)) as (channel, heard):
        await called(channel, to, locale="id")

    form = form_of(heard.requests[0])
    gather = ET.fromstring(form["Twiml"][0])[0].attrib["action"]
    for whole, kind in ((form["StatusCallback"][0], "status"), (gather, "gather")):
        url, retries = urldefrag(whole)
        assert url.startswith(f"https://warn.example.org/callbacks/voice/{kind}?")
        query = parse_qs(urlsplit(url).query)
        assert AttemptRef.parse(query["d"][0]) == to.attempt
        assert query["l"] == ["flash"]
        assert retries == "rc=5&rp=all"
    assert parse_qs(urlsplit(gather).query)["lang"] == ["id"]


async def test_every_step_of_a_call_is_reported() -> None:
    async with calling(created(CALL_SID), ring_seconds=25) as (channel, heard):
        await called(channel)

    form = form_of(heard.requests[0])
    assert form["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
    assert form["Timeout"] == ["25"]
    assert form["MachineDetection"] == ["Enable"]


async def test_machines_need_not_be_told_from_people() -> None:
    async with calling(created(CALL_SID), machine_detection="off") as (channel, heard):
        await called(channel)

    assert "MachineDetection" not in form_of(heard.requests[0])


# --- callbacks


def gathered(to: Envelope, language: str = "id", **further: str) -> Any:
    form = {"CallSid": CALL_SID, "CallStatus": "in-progress", "Digits": "2", **further}
    return signed("voice", "gather", form, {"d": str(to.attempt), "l": "flash", "lang": language})


@pytest.mark.parametrize("further", [{}, {"AnsweredBy": "human"}, {"AnsweredBy": "unknown"}])
def test_key_is_the_person_s_answer(further: dict[str, str]) -> None:
    to = envelope(PERSON)
    channel, callback = voice(NOWHERE), gathered(to, **further)

    channel.authenticate(callback)

    assert channel.receipts(callback) == [
        Pressed(attempt=to.attempt, key="2", provider_id=CALL_SID)
    ]
    assert channel.answer(callback).content_type == "text/xml"
    [thanks] = spoken(ET.fromstring(channel.answer(callback).body))
    assert thanks == "Terima kasih. Jawaban Anda sudah diterima. Sampai jumpa."


@pytest.mark.parametrize(
    "further",
    [{"AnsweredBy": "machine_start"}, {"AnsweredBy": "fax"}, {"Digits": ""}, {"Digits": "x"}],
    ids=str,
)
def test_machine_and_silence_answer_nothing(further: dict[str, str]) -> None:
    channel, callback = voice(NOWHERE), gathered(envelope(PERSON), "en", **further)

    assert list(channel.receipts(callback)) == []
    assert spoken(ET.fromstring(channel.answer(callback).body)) == ["Goodbye."]


def test_receipt_says_who_answered() -> None:
    to = envelope(PERSON)
    form = {"CallSid": CALL_SID, "CallStatus": "completed", "AnsweredBy": "human", "From": SENDER}
    channel = voice(NOWHERE)
    callback = signed("voice", "status", form, {"d": str(to.attempt), "l": "flash"})

    channel.authenticate(callback)

    assert channel.receipts(callback) == [
        Receipt(
            kind=ReceiptKind.ANSWERED,
            attempt=to.attempt,
            provider_id=CALL_SID,
            word="completed",
        )
    ]
    assert channel.answer(callback).body == ""
