"""An SMS meets a carrier, and its attempt is found again whatever the carrier answered."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.sms import Sms
from kentongan.channel import Asked, Candidate, CannotAskError
from kentongan.message import Envelope
from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused, Unknown
from kentongan.receipt import Receipt, ReceiptKind
from simulator.main import Simulation, simulating
from simulator.settings import SimulatorSettings
from tests.fakes.channels import CountingGate, deployment, envelope, simulator_at, wording
from tests.fakes.twilio import MESSAGE_SID, PERSON


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    at = simulator_at("", 0)
    settings = SimulatorSettings(
        http_port=0, account_sid=at.account_sid, auth_token=at.auth_token, callback_speed=50
    )
    async with simulating(settings) as running:
        running.behaviour.callbacks = False
        yield running


@pytest.fixture
async def channel(simulation: Simulation) -> AsyncIterator[Sms]:
    made = Sms.for_simulator(simulator_at(simulation.url, simulation.smtp_port), deployment())
    yield made
    await made.close()


async def sent(channel: Sms, to: Envelope | None = None, **words: Any) -> Outcome:
    prepared = channel.prepare(wording(**words))
    return await channel.send(prepared, to or envelope(PERSON), CountingGate())


def ending(digits: str) -> Envelope:
    return envelope(f"+628123456{digits}")


def asked_about(to: Envelope, text: str) -> Asked:
    return Asked(attempt=to.attempt, address=to.address, opened_at=datetime.now(UTC), text=text)


@pytest.mark.parametrize(
    ("digits", "kind", "reason"),
    [
        ("1211", Refused, Reason.INVALID_ADDRESS),
        ("1408", Refused, Reason.DESTINATION),
        ("1610", Refused, Reason.OPTED_OUT),
        ("1614", Refused, Reason.INVALID_ADDRESS),
        ("0429", Deferred, Reason.THROTTLED),
        ("0401", Deferred, Reason.ACCOUNT),
        ("0500", Unknown, Reason.SERVER_ERROR),
        ("0410", Unknown, Reason.NO_REPLY),
        ("0504", Unknown, Reason.GARBLED_REPLY),
        ("0301", Unknown, Reason.GARBLED_REPLY),
    ],
)
async def test_carrier_s_answer_has_an_outcome(
    channel: Sms, digits: str, kind: type[Outcome], reason: Reason
) -> None:
    outcome = await sent(channel, ending(digits))

    assert isinstance(outcome, kind)
    assert getattr(outcome, "reason", None) is reason


async def test_message_is_accepted_and_followed(channel: Sms) -> None:
    outcome = await sent(channel, ending("0005"))
    assert isinstance(outcome, Accepted)
    assert outcome.provider_id

    receipt = await until_failed(channel, outcome.provider_id)

    assert (receipt.word, receipt.code) == ("undelivered", "30005")
    assert (receipt.reason, receipt.transient) == (Reason.INVALID_ADDRESS, False)


async def until_failed(channel: Sms, sid: str) -> Receipt:
    async with asyncio.timeout(10):
        while True:
            receipt = await channel.fetch(sid)
            assert receipt
            if receipt.kind is ReceiptKind.FAILED:
                return receipt
            await asyncio.sleep(0.01)


async def test_message_that_twilio_does_not_know_is_none(channel: Sms) -> None:
    assert await channel.fetch(MESSAGE_SID) is None


async def test_unknown_message_is_found_by_whom_when_and_what(channel: Sms) -> None:
    to = ending("0500")
    prepared = channel.prepare(wording())
    text = channel.preview(prepared).text
    assert isinstance(await channel.send(prepared, to, CountingGate()), Unknown)

    [found] = await channel.find(asked_about(to, text))

    assert isinstance(found, Candidate)
    assert await channel.fetch(found.provider_id)
    assert await channel.find(asked_about(to, "another text")) == []
    assert await channel.find(asked_about(ending("0000"), text)) == []
    later = replace(asked_about(to, text), opened_at=datetime.now(UTC) + timedelta(minutes=1))
    assert await channel.find(later) == []


async def test_message_that_never_arrived_is_answered_empty(channel: Sms) -> None:
    to = ending("0501")
    await sent(channel, to)

    assert await channel.find(asked_about(to, "any")) == []


async def test_list_is_read_over_its_pages_but_not_for_ever(channel: Sms) -> None:
    to = ending("0000")
    for _ in range(60):
        await sent(channel, to, text="Banjir", headline="")
    text = channel.preview(channel.prepare(wording(text="Banjir", headline=""))).text

    assert len(await channel.find(asked_about(to, text))) == 60

    for _ in range(150):
        await sent(channel, to)
    with pytest.raises(CannotAskError):
        await channel.find(asked_about(to, text))


async def test_what_twilio_still_holds_can_be_called_back(
    channel: Sms, simulation: Simulation
) -> None:
    simulation.behaviour.held = 3600
    outcome = await sent(channel, envelope(PERSON, remaining=7200))
    assert isinstance(outcome, Accepted)
    assert outcome.provider_id

    assert await channel.cancel(outcome.provider_id)
    assert not await channel.cancel(MESSAGE_SID)
    receipt = await channel.fetch(outcome.provider_id)
    assert receipt
    assert (receipt.word, receipt.reason) == ("canceled", Reason.STOPPED)


async def test_probe_tells_whether_we_could_send(channel: Sms, simulation: Simulation) -> None:
    await channel.probe()

    simulation.behaviour.fail = "401"
    with pytest.raises(CannotAskError):
        await channel.probe()
