"""Calls: they ring, hear the words, press keys, and tell of it."""

import pytest
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Gather, VoiceResponse

from tests.simulator.client import Client, ending, practising
from tests.simulator.ear import eventually, listening

ALL_EVENTS = ["initiated", "ringing", "answered", "completed"]


def asking(action: str) -> str:
    """Return what our calls say, as Twilio's own library writes it."""
    response = VoiceResponse()
    gather = Gather(action=action, num_digits=1, timeout=5)
    gather.say("Banjir! Tekan 1 bila aman.", language="id-ID")
    gather.pause(length=1)
    gather.say("Banjir! Tekan 1 bila aman.", language="id-ID")
    response.append(gather)
    response.say("Sampai jumpa.", language="id-ID")
    return str(response)


async def ended(client: Client) -> str:
    """Return how the first call ended."""
    status: str = await eventually(
        lambda: client.sim.book.get(1).since(*ENDS) and client.sim.book.get(1).status
    )
    return status


ENDS = ("completed", "busy", "failed", "no-answer", "canceled")


async def test_person_hears_the_text_presses_a_key_and_hears_the_answer() -> None:
    thanks = '<Response><Say language="id-ID">Terima kasih.</Say><Hangup/></Response>'
    async with listening((200, thanks)) as ear, practising() as client:
        status, call = await client.call(ending("0001"), asking(f"{ear.url}gather?d=a.1"))

        assert (status, call["status"], call["sid"][:2]) == (201, "queued", "CA")
        assert await ended(client) == "completed"
        [seen] = await client.seen(kind="voice")
        assert seen["key"] == "1"
        assert [said["text"] for said in seen["heard"]] == [
            "Banjir! Tekan 1 bila aman.",
            "Banjir! Tekan 1 bila aman.",
            "Terima kasih.",
        ]
        assert {said["language"] for said in seen["heard"]} == {"id-ID"}
        [gathered] = ear.heard
        assert (gathered.form["Digits"], gathered.form["CallSid"]) == ("1", call["sid"])
        signature = gathered.headers["X-Twilio-Signature"]
        validator = RequestValidator(client.settings.auth_token)
        assert validator.validate(gathered.url, gathered.form, signature)


async def test_who_presses_nothing_hears_what_follows_the_question() -> None:
    async with listening() as ear, practising() as client:
        await client.call(ending("0000"), asking(f"{ear.url}gather"))

        assert await ended(client) == "completed"
        assert client.sim.book.get(1).heard[-1][0] == "Sampai jumpa."
        assert ear.heard == []


async def test_events_asked_for_are_called_back_in_order_and_numbered() -> None:
    async with listening() as ear, practising(callback_speed=10.0) as client:
        await client.call(
            ending("0000"),
            "<Response><Say>Flood, go north now.</Say></Response>",
            StatusCallback=f"{ear.url}st",
            StatusCallbackEvent=ALL_EVENTS,
            MachineDetection="Enable",
        )
        await eventually(lambda: len(ear.heard) == 4)

        told = sorted(ear.heard, key=lambda heard: heard.form["SequenceNumber"])
        assert [heard.form["CallStatus"] for heard in told] == [
            "initiated",
            "ringing",
            "in-progress",
            "completed",
        ]
        assert told[-1].form["AnsweredBy"] == "human"
        assert int(told[-1].form["CallDuration"]) >= 1


async def test_only_the_end_is_called_back_unless_more_is_asked_for() -> None:
    async with listening() as ear, practising() as client:
        await client.call(ending("0020"), "<Response/>", StatusCallback=ear.url)
        await eventually(lambda: ear.heard)

        assert ear.said("CallStatus") == ["busy"]


@pytest.mark.parametrize(
    ("digits", "end"), [("0020", "busy"), ("0021", "no-answer"), ("0023", "failed")]
)
async def test_call_that_nobody_takes_ends_as_the_table_says(digits: str, end: str) -> None:
    async with practising() as client:
        _, call = await client.call(ending(digits), "<Response><Say>Hello</Say></Response>")

        assert await ended(client) == end
        _, fetched = await client.get(f"Calls/{call['sid']}.json")
        assert (fetched["status"], fetched["start_time"]) == (end, None)
        assert client.sim.book.get(1).heard == ()


@pytest.mark.parametrize(
    ("wanted", "by"), [("Enable", "machine_start"), ("DetectMessageEnd", "machine_end_beep")]
)
async def test_voicemail_is_recognised_and_presses_nothing(wanted: str, by: str) -> None:
    async with listening() as ear, practising() as client:
        twiml = asking(f"{ear.url}gather")
        await client.call(
            ending("0022"), twiml, StatusCallback=f"{ear.url}st", MachineDetection=wanted
        )
        await eventually(lambda: ear.heard)

        assert ear.said("AnsweredBy") == [by]
        assert ear.said("Digits") == []
        assert client.sim.book.get(1).heard[-1][0] == "Sampai jumpa."


async def test_asynchronous_detection_has_its_own_callback() -> None:
    async with listening() as ear, practising() as client:
        await client.call(
            ending("0022"),
            "<Response/>",
            MachineDetection="Enable",
            AsyncAmd="true",
            AsyncAmdStatusCallback=f"{ear.url}amd",
        )
        await eventually(lambda: ear.heard)

        assert ear.said("AnsweredBy") == ["machine_start"]


async def test_call_can_be_canceled_while_it_waits_and_not_after_it_ended() -> None:
    async with listening() as ear, practising(callback_speed=0.1) as client:
        _, call = await client.call(ending("0000"), "<Response/>", StatusCallback=ear.url)
        path = f"Calls/{call['sid']}.json"
        status, canceled = await client.post(path, {"Status": "canceled"})
        again, problem = await client.post(path, {"Status": "completed"})

        assert (status, canceled["status"]) == (200, "canceled")
        assert (again, problem["code"]) == (400, 21220)
        await eventually(lambda: ear.said("CallStatus") == ["canceled"])


async def test_call_in_progress_is_hung_up() -> None:
    async with practising(callback_speed=5.0) as client:
        twiml = "<Response>" + "<Say>On and on.</Say>" * 100 + "</Response>"
        _, call = await client.call(ending("0000"), twiml)
        await eventually(lambda: client.sim.book.get(1).heard)
        status, hung_up = await client.post(f"Calls/{call['sid']}.json", {"Status": "completed"})

        assert (status, hung_up["status"]) == (200, "completed")
        assert len(client.sim.book.get(1).heard) < 100


@pytest.mark.parametrize(
    "answer", [(500, ""), (200, "<Response><Say>not closed"), (200, "<html/>")]
)
async def test_call_ends_where_its_next_words_cannot_be_had(answer: tuple[int, str]) -> None:
    async with listening(answer) as ear, practising() as client:
        await client.call(ending("0001"), asking(f"{ear.url}gather"))

        assert await ended(client) == "completed"
        assert "application error" in client.sim.book.get(1).heard[-1][0]
