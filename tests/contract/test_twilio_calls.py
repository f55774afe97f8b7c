"""A call meets a carrier, and its attempt is found again whatever the carrier answered."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from channels.voice import Voice
from kentongan.channel import Asked
from kentongan.message import Envelope
from kentongan.outcome import Accepted, Outcome, Reason, Unknown
from kentongan.receipt import Receipt, ReceiptKind
from simulator.main import Simulation, simulating
from simulator.settings import SimulatorSettings
from tests.fakes.channels import CountingGate, deployment, envelope, simulator_at, wording
from tests.fakes.twilio import PERSON


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
async def channel(simulation: Simulation) -> AsyncIterator[Voice]:
    made = Voice.for_simulator(simulator_at(simulation.url, simulation.smtp_port), deployment())
    yield made
    await made.close()


async def called(channel: Voice, to: Envelope | None = None) -> Outcome:
    prepared = channel.prepare(wording())
    return await channel.send(prepared, to or envelope(PERSON), CountingGate())


@pytest.mark.parametrize(
    ("digits", "kind", "reason"),
    [
        ("0000", ReceiptKind.ANSWERED, None),
        ("0020", ReceiptKind.FAILED, Reason.BUSY),
        ("0021", ReceiptKind.FAILED, Reason.NO_ANSWER),
        ("0022", ReceiptKind.MACHINE, None),
        ("0023", ReceiptKind.FAILED, Reason.REJECTED),
    ],
)
async def test_call_is_made_and_followed(
    channel: Voice, digits: str, kind: ReceiptKind, reason: Reason | None
) -> None:
    outcome = await called(channel, envelope(f"+628123456{digits}"))
    assert isinstance(outcome, Accepted)
    assert outcome.provider_id

    receipt = await until_over(channel, outcome.provider_id)

    assert (receipt.kind, receipt.reason) == (kind, reason)


async def until_over(channel: Voice, sid: str) -> Receipt:
    async with asyncio.timeout(10):
        while True:
            receipt = await channel.fetch(sid)
            assert receipt
            if receipt.word in {"completed", "busy", "no-answer", "failed"}:
                return receipt
            await asyncio.sleep(0.01)


async def test_unknown_call_is_found_by_whom_and_when(channel: Voice) -> None:
    to = envelope("+6281234560500")
    assert isinstance(await called(channel, to), Unknown)
    asked = Asked(attempt=to.attempt, address=to.address, opened_at=datetime.now(UTC), text="")

    [found] = await channel.find(asked)

    assert await channel.fetch(found.provider_id)
    assert await channel.find(replace(asked, address=PERSON)) == []


async def test_call_that_does_not_ring_yet_can_be_called_back(channel: Voice) -> None:
    outcome = await called(channel)
    assert isinstance(outcome, Accepted)
    assert outcome.provider_id

    assert await channel.cancel(outcome.provider_id)
    assert not await channel.cancel(outcome.provider_id)
