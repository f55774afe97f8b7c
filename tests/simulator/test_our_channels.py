"""Our own channels against the simulator: what they say is let through, and comes back to them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from channels import discover
from kentongan.channel import Asked
from kentongan.deployment import SimulatorAt
from kentongan.outcome import Accepted, Outcome, Refused, Unknown
from kentongan.receipt import ReceiptKind
from tests.fakes.channels import (
    ACCEPTED_AT,
    HEADLINE,
    TEXT,
    CountingGate,
    deployment,
    envelope,
    wording,
)
from tests.simulator.client import Client, ending, practising
from tests.simulator.ear import eventually

Send = Callable[..., Any]


@asynccontextmanager
async def sending(client: Client, name: str) -> AsyncIterator[tuple[Any, Send]]:
    """Yield one of our channels in practice, and how to send its usual words to an address."""
    settings = client.settings
    at = SimulatorAt(
        url=client.sim.url,
        smtp_host="127.0.0.1",
        smtp_port=client.sim.smtp_port,
        account_sid=settings.account_sid,
        auth_token=settings.auth_token,
    )
    channel: Any = discover()[name].for_simulator(at, deployment())

    async def send(address: str, **changes: Any) -> Outcome:
        prepared = channel.prepare(wording(**changes))
        outcome: Outcome = await asyncio.wait_for(
            channel.send(prepared, envelope(address), CountingGate()), 30
        )
        return outcome

    try:
        yield channel, send
    finally:
        await channel.close()


@pytest.mark.parametrize("locale", ["en", "id"])
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("sms", ending("0000")),
        ("voice", ending("0000")),
        ("email", "budi@example.org"),
        ("webhook", "https://pump.example.org/alarm"),
    ],
)
async def test_what_our_channel_says_is_let_through(name: str, address: str, locale: str) -> None:
    async with practising() as client, sending(client, name) as (_, send):
        outcome = await send(address, locale=locale)

        assert isinstance(outcome, Accepted)
        [record] = client.sim.book.all()
        assert record.kind == name


async def test_every_word_of_an_alert_reaches_its_person() -> None:
    async with practising() as client:
        async with sending(client, "sms") as (_, sms):
            await sms(ending("0000"))
        async with sending(client, "voice") as (_, voice):
            await voice(ending("0000"))
        async with sending(client, "email") as (_, email):
            await email("budi@example.org")
        await eventually(lambda: client.sim.book.get(2).status == "completed")
        seen = await client.seen()

    assert [each["kind"] for each in seen] == ["email", "voice", "sms"]
    for each in seen:
        text = f"{each.get('subject', '')} {each['text']}"
        assert HEADLINE in text
        assert TEXT in text


async def test_refusal_and_doubt_are_understood_as_such() -> None:
    async with practising() as client, sending(client, "sms") as (_, send):
        assert isinstance(await send(ending("1211")), Refused)
        assert isinstance(await send(ending("0500")), Unknown)
        assert isinstance(await send(ending("0503")), Unknown)


async def test_message_in_doubt_is_found_by_asking() -> None:
    async with practising() as client, sending(client, "sms") as (channel, send):
        outcome = await send(ending("0500"))
        await eventually(lambda: client.sim.book.get(1).status == "delivered")
        text = channel.preview(channel.prepare(wording())).text
        asked = Asked(
            attempt=envelope("").attempt,
            address=ending("0500"),
            opened_at=ACCEPTED_AT,
            text=text,
        )
        [found] = await channel.find(asked)

    assert isinstance(outcome, Unknown)
    assert (found.provider_id, found.kind) == (client.sim.book.get(1).id, ReceiptKind.DELIVERED)
