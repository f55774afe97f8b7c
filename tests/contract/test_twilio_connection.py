"""Nothing is sent without a connection and the gate's leave, and nothing more than was meant."""

import asyncio
import base64
import logging
from typing import Any

import pytest

from kentongan.channel import CannotAskError
from kentongan.outcome import Accepted, Deferred, NotBegun, Outcome, Reason, Refused, Unknown
from tests.fakes import servers
from tests.fakes.channels import TEXT, TOKEN, CountingGate, envelope, wording
from tests.fakes.twilio import (
    ACCOUNT,
    MESSAGE_SID,
    PERSON,
    calling,
    created,
    error,
    form_of,
    sms,
    texting,
)


async def sent(channel: Any, gate: CountingGate | None = None) -> Outcome:
    prepared = channel.prepare(wording())
    async with asyncio.timeout(20):
        outcome = await channel.send(prepared, envelope(PERSON), gate or CountingGate())
    assert isinstance(outcome, Outcome)
    return outcome


async def test_nothing_was_sent_where_nobody_listens() -> None:
    gate = CountingGate()
    channel = sms(f"http://127.0.0.1:{servers.closed_port()}")

    outcome = await sent(channel, gate)

    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.counted, gate.asked) == (Reason.NO_CONNECTION, True, 0)
    await channel.close()


@pytest.mark.parametrize("talk", [servers.hang_up, servers.smtp], ids=["closed", "not TLS"])
async def test_nothing_was_sent_where_tls_fails(talk: servers.Talk) -> None:
    gate = CountingGate()

    async with servers.serving(talk) as heard:
        channel = sms(f"https://127.0.0.1:{heard.port}", connect_timeout=0.5)
        outcome = await sent(channel, gate)
        await channel.close()

    assert isinstance(outcome, Deferred)
    assert (outcome.reason, gate.asked) == (Reason.NO_CONNECTION, 0)


async def test_nothing_was_sent_while_no_connection_is_free() -> None:
    async with texting(servers.hang, concurrency=1, connect_timeout=0.2, timeout=1.0) as (
        channel,
        heard,
    ):
        outcomes = await asyncio.gather(sent(channel), sent(channel))

    assert {type(outcome) for outcome in outcomes} == {Unknown, Deferred}
    assert len(heard.requests) == 1


async def test_gate_that_closes_lets_not_one_byte_out() -> None:
    gate = CountingGate(stops_with=Reason.LEASE_LOST)

    async with texting(created()) as (channel, heard):
        outcome = await sent(channel, gate)

    assert outcome == NotBegun(Reason.LEASE_LOST)
    assert (heard.connections, heard.requests) == (1, [])


async def test_gate_is_asked_again_for_a_connection_that_was_kept() -> None:
    gate = CountingGate()

    async with texting(created()) as (channel, heard):
        for _ in range(3):
            assert await sent(channel, gate) == Accepted(MESSAGE_SID)

    assert (gate.asked, heard.connections) == (3, 1)


async def test_bug_in_a_gate_is_not_taken_for_an_answer() -> None:
    async def broken(_transport: object) -> None:
        raise ValueError("a bug")

    async with texting(created()) as (channel, heard):
        with pytest.raises(ValueError, match="a bug"):
            await channel.send(channel.prepare(wording()), envelope(PERSON), broken)

    assert heard.requests == []


async def test_questions_pass_no_gate() -> None:
    gate = CountingGate()
    async with texting(created()) as (channel, _):
        await sent(channel, gate)

        with pytest.raises(CannotAskError):
            await channel.probe()

    assert gate.asked == 1


@pytest.mark.parametrize("status", [204, 301, 401, 429, 500])
async def test_question_without_an_answer_says_nothing(status: int) -> None:
    async with texting(servers.answering(status)) as (channel, _):
        with pytest.raises(CannotAskError):
            await channel.fetch(MESSAGE_SID)
        with pytest.raises(CannotAskError):
            await channel.probe()
        assert not await channel.cancel(MESSAGE_SID)


async def test_twilio_that_is_away_cannot_be_asked() -> None:
    channel = sms(f"http://127.0.0.1:{servers.closed_port()}")

    with pytest.raises(CannotAskError):
        await channel.fetch(MESSAGE_SID)

    await channel.close()


async def test_id_that_twilio_cannot_have_given_is_not_asked_about() -> None:
    async with texting(created()) as (channel, heard):
        assert await channel.fetch("../../Accounts") is None
        assert not await channel.cancel("SM1?x=1")

    assert heard.requests == []


async def test_key_sends_where_there_is_one() -> None:
    key = "SK" + "c" * 32
    async with texting(created(), api_key=key, api_secret="the secret") as (channel, heard):
        await sent(channel)

    user = f"Basic {_base64(f'{key}:the secret')}"
    assert user.encode() in heard.everything
    assert f"/Accounts/{ACCOUNT}/Messages.json".encode() in heard.everything


async def test_first_token_sends_where_there_is_no_key() -> None:
    async with texting(created(), auth_token=f"{TOKEN},an older one") as (channel, heard):
        await sent(channel)

    assert _base64(f"{ACCOUNT}:{TOKEN}").encode() in heard.everything


async def test_proxies_of_the_environment_are_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{servers.closed_port()}")

    async with texting(created()) as (channel, _):
        assert await sent(channel) == Accepted(MESSAGE_SID)


async def test_nothing_is_logged_of_a_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async with texting(error(400, 21211, f"{PERSON} is no number")) as (channel, _):
        await sent(channel)

    assert PERSON not in caplog.text
    assert TEXT not in caplog.text
    assert TOKEN not in caplog.text


async def test_call_is_made_by_the_same_rules() -> None:
    async with calling(error(400, 21215)) as (channel, heard):
        outcome = await sent(channel)

    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.DESTINATION
    assert form_of(heard.requests[0])["To"] == [PERSON]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
