"""Messages: what the REST API answers, and what is called back afterwards."""

import asyncio
from typing import Any

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from tests.simulator.client import Client, ending, practising
from tests.simulator.ear import Ear, eventually, listening


async def test_message_is_queued_then_sent_then_delivered() -> None:
    async with listening() as ear, practising() as client:
        status, message = await client.text(ending("0000"), StatusCallback=f"{ear.url}st?d=a.1")

        assert (status, message["status"], message["error_code"]) == (201, "queued", None)
        assert message["sid"].startswith("SM")
        await eventually(lambda: len(ear.heard) == 2)
        assert ear.said("MessageStatus") == ["sent", "delivered"]
        assert set(ear.said("MessageSid")) == {message["sid"]}
        _, fetched = await client.get(f"Messages/{message['sid']}.json")
        assert fetched["status"] == "delivered"


async def test_stock_sdk_verifies_every_callback() -> None:
    async with listening() as ear, practising(auth_token="secret") as client:
        await client.text(
            ending("0006"), Body="Ayo ke atas 🚨 ", StatusCallback=f"{ear.url}st?d=a.1&l=flash#rc=5"
        )
        await eventually(lambda: len(ear.heard) == 2)

        validator = RequestValidator("secret")
        for heard in ear.heard:
            signature = heard.headers["X-Twilio-Signature"]
            assert validator.validate(heard.url, heard.form, signature)
            assert not validator.validate(heard.url, {**heard.form, "To": "+1"}, signature)


@pytest.mark.parametrize("code", ["30003", "30005", "30006"])
async def test_undelivered_message_says_why(code: str) -> None:
    async with listening() as ear, practising() as client:
        _, message = await client.text(ending(code[-4:]), StatusCallback=ear.url)
        await eventually(lambda: len(ear.heard) == 2)

        assert ear.heard[-1].form["MessageStatus"] == "undelivered"
        assert ear.heard[-1].form["ErrorCode"] == code
        assert "RawDlrDoneDate" in ear.heard[-1].form
        _, fetched = await client.get(f"Messages/{message['sid']}.json")
        assert (fetched["status"], fetched["error_code"]) == ("undelivered", int(code))


@pytest.mark.parametrize(
    ("digits", "status", "code"),
    [
        ("1211", 400, 21211),
        ("1610", 400, 21610),
        ("1408", 400, 21408),
        ("0401", 401, 20003),
        ("0501", 500, 20500),
        ("0429", 429, 20429),
    ],
)
async def test_number_is_refused_at_once(digits: str, status: int, code: int) -> None:
    async with practising() as client:
        answered, problem = await client.text(ending(digits))

        assert (answered, problem["code"], problem["status"]) == (status, code, status)
        assert problem["more_info"].endswith(str(code))
        assert len(client.sim.book) == 0


async def test_throttled_number_goes_through_the_third_time() -> None:
    async with practising() as client:
        answers = [(await client.text(ending("0429")))[0] for _ in range(3)]

        assert answers == [429, 429, 201]


async def test_accepted_and_then_500_is_found_by_listing() -> None:
    async with practising() as client:
        status, _ = await client.text(ending("0500"), Body="are you there?")
        _, page = await client.get("Messages.json", To=ending("0500"))

        assert status == 500
        assert [message["body"] for message in page["messages"]] == ["are you there?"]


@pytest.mark.parametrize(("digits", "booked"), [("0408", 1), ("0409", 0)])
async def test_silence_may_or_may_not_hide_an_acceptance(digits: str, booked: int) -> None:
    async with practising() as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.text(ending(digits)), 0.3)

        assert len(client.sim.book) == booked


async def test_garbage_redirect_and_close_are_answered_as_the_table_says() -> None:
    async with practising() as client:
        url = f"{client.base}/Messages.json"
        form = {"From": "+15005550006", "Body": "hm"}
        async with client.session.post(url, data={**form, "To": ending("0503")}) as garbage:
            assert (garbage.status, garbage.content_type) == (200, "text/html")
        moved = client.session.post(url, data={**form, "To": ending("0301")}, allow_redirects=False)
        async with moved as redirect:
            assert redirect.status == 301
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await client.text(ending("0410"))

        assert [record.to for record in client.sim.book.all()] == [ending("0410")]


@pytest.mark.parametrize(
    ("digits", "reported"),
    [
        ("0011", ["sent", "delivered"]),
        ("0012", ["delivered", "delivered", "sent", "sent"]),
        ("0013", ["delivered", "sent"]),
        ("0016", ["sent"]),
    ],
)
async def test_receipts_come_late_doubled_shuffled_or_half(
    digits: str, reported: list[str]
) -> None:
    async with listening() as ear, practising() as client:
        await client.text(ending(digits), StatusCallback=ear.url)
        await eventually(lambda: len(ear.heard) == len(reported))

        came = ear.said("MessageStatus")
        assert (sorted(came) if digits == "0012" else came) == reported


@pytest.mark.parametrize(("digits", "truth"), [("0010", "sent"), ("0014", "delivered")])
async def test_without_receipts_one_has_to_ask(digits: str, truth: str) -> None:
    async with listening() as ear, practising() as client:
        _, message = await client.text(ending(digits), StatusCallback=ear.url)
        await eventually(lambda: client.sim.book.get(1).status == truth)

        _, fetched = await client.get(f"Messages/{message['sid']}.json")
        assert fetched["status"] == truth
        assert ear.heard == []


async def test_message_that_leaves_too_late_fails_as_expired() -> None:
    async with listening() as ear, practising() as client:
        await client.text(ending("0015"), ValidityPeriod="20", StatusCallback=ear.url)
        await eventually(lambda: ear.heard)

        assert ear.heard[0].form["MessageStatus"] == "failed"
        assert ear.heard[0].form["ErrorCode"] == "30036"


async def test_message_can_be_canceled_only_before_it_left() -> None:
    async with listening() as ear, practising(callback_speed=1.0) as client:
        _, waiting = await client.text(ending("0015"), StatusCallback=ear.url)
        status, canceled = await client.post(
            f"Messages/{waiting['sid']}.json", {"Status": "canceled"}
        )
        again, problem = await client.post(
            f"Messages/{waiting['sid']}.json", {"Status": "canceled"}
        )

        assert (status, canceled["status"]) == (200, "canceled")
        assert (again, problem["code"]) == (400, 30409)
        await eventually(lambda: ear.said("MessageStatus") == ["canceled"])


async def test_callback_is_tried_again_as_its_url_asks() -> None:
    async with listening((500, ""), (503, ""), (200, "")) as ear, practising() as client:
        await client.text(ending("0016"), StatusCallback=f"{ear.url}st#rc=5&rp=all")
        await eventually(lambda: len(ear.heard) == 3)

        tokens = {heard.headers["I-Twilio-Idempotency-Token"] for heard in ear.heard}
        assert len(tokens) == 1
        assert all("#" not in heard.url for heard in ear.heard)


async def test_callback_is_not_tried_again_for_a_status_unless_asked() -> None:
    async with listening((500, "")) as ear, practising() as client:
        await client.text(ending("0000"), StatusCallback=ear.url)
        await eventually(lambda: ear.said("MessageStatus") == ["sent", "delivered"])


async def test_nobody_but_loopback_is_called_back(caplog: pytest.LogCaptureFixture) -> None:
    async with practising() as client:
        await client.text(ending("0000"), StatusCallback="https://alerts.example.org/st")
        await eventually(lambda: client.sim.book.get(1).status == "delivered")
        await eventually(lambda: "loopback alone" in caplog.text)


async def test_stranger_is_refused() -> None:
    async with practising() as client, aiohttp.ClientSession() as stranger:
        for user, word in [("", ""), ("AC" + "9" * 32, "simulated"), ("SK" + "1" * 32, "wrong")]:
            headers = {"Authorization": aiohttp.encode_basic_auth(user, word)}
            async with stranger.get(f"{client.base}.json", headers=headers) as answer:
                assert (answer.status, (await answer.json())["code"]) == (401, 20003)
        key = {"Authorization": aiohttp.encode_basic_auth("SK" + "1" * 32, "simulated")}
        async with stranger.get(f"{client.base}.json", headers=key) as answer:
            assert (await answer.json())["status"] == "active"


async def test_list_goes_page_by_page_and_new_ones_do_not_shift_it() -> None:
    async with practising() as client:
        for number in range(5):
            await client.text(ending("0000"), Body=str(number))
        _, page = await client.get("Messages.json", To=ending("0000"), PageSize="2")
        await client.text(ending("0000"), Body="late")
        bodies = [message["body"] for message in page["messages"]]
        while page["next_page_uri"]:
            async with client.session.get(client.sim.url + page["next_page_uri"]) as answer:
                page = await answer.json()
            bodies += [message["body"] for message in page["messages"]]

        assert bodies == ["4", "3", "2", "1", "0"]


async def test_who_replied_stop_is_refused_until_start() -> None:
    async with practising() as client:
        status = [(await client.text(ending("0000")))[0]]
        for word in ("STOP", "START"):
            await _reply(client, ending("0000"), word)
            status.append((await client.text(ending("0000")))[0])

        assert status == [201, 400, 201]


async def test_magic_number_replies_by_sms() -> None:
    thanks = "<Response><Message>Terima kasih</Message></Response>"
    async with listening((200, thanks)) as ear, practising(inbound_url=f"{ear.url}in") as client:
        await client.text(ending("0001"))
        await eventually(lambda: len(client.sim.book) == 3)

        assert (ear.said("Body"), ear.said("From")) == (["1"], [ending("0001")])
        assert _is_signed(ear, client)
        [answer, _] = await client.seen(to=ending("0001"))
        assert answer["text"] == "Terima kasih"


async def _reply(client: Client, person: str, word: str) -> None:
    url, form = f"{client.sim.url}/control/inbound", {"from": person, "to": "+15005550006"}
    async with client.session.post(url, json={**form, "body": word}) as answer:
        assert answer.status == 200


def _is_signed(ear: Ear, client: Client) -> bool:
    heard = ear.heard[0]
    validator = RequestValidator(client.settings.auth_token)
    signature: Any = heard.headers["X-Twilio-Signature"]
    return bool(validator.validate(heard.url, heard.form, signature))
