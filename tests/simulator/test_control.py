"""Switches, the book as it is served, and starting and stopping."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from simulator.chance import Chance
from simulator.magic import HOOKS, MAILBOXES, NUMBERS, Door
from simulator.main import run
from simulator.settings import Rates, SimulatorSettings
from tests.simulator.client import ending, practising
from tests.simulator.ear import eventually, listening

DOCS = Path(__file__).parents[2] / "docs" / "simulator.md"


@pytest.mark.parametrize(
    ("fail", "status", "code"),
    [("401", 401, 20003), ("403", 403, 20005), ("429", 429, 20429), ("503", 503, 20503)],
)
async def test_whole_api_can_be_made_to_fail_and_to_recover(
    fail: str, status: int, code: int
) -> None:
    async with practising() as client:
        await client.switch(fail=fail)
        answered, problem = await client.text(ending("0000"))
        await client.switch(fail=None)
        recovered, _ = await client.text(ending("0000"))

        assert (answered, problem["code"], recovered) == (status, code, 201)


async def test_callbacks_and_listing_can_be_switched_off() -> None:
    async with listening() as ear, practising() as client:
        await client.switch(callbacks=False, listing=False)
        await client.text(ending("0000"), StatusCallback=ear.url)
        await eventually(lambda: client.sim.book.get(1).status == "delivered")

        assert (await client.get("Messages.json"))[0] == 503
        assert ear.heard == []


async def test_unknown_switch_is_refused_and_turns_nothing() -> None:
    async with practising() as client:
        assert await client.switch(listing=False, weather="bad") == 400
        assert await client.switch(fail="sometimes") == 400
        assert client.sim.behaviour.listing


async def test_book_is_served_whole_and_messages_since_a_record() -> None:
    async with practising() as client:
        for number in range(3):
            await client.text(ending("0000"), Body=str(number))
        async with client.session.get(f"{client.sim.url}/book") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]

        assert [line["text"] for line in lines] == ["0", "1", "2"]
        assert [each["text"] for each in await client.seen(after="1")] == ["2", "1"]
        assert [each["text"] for each in await client.seen(limit="1", kind="sms")] == ["2"]
        async with client.session.get(f"{client.sim.url}/livez") as answer:
            assert (await answer.json())["records"] == 3


async def test_person_can_be_made_to_write_to_us() -> None:
    async with listening((200, "<Response/>")) as ear, practising() as client:
        await client.switch(inbound_url=f"{ear.url}in")
        said = {"from": ending("0000"), "to": "+15005550006", "body": "1", "extra": {"X": "y"}}
        async with client.session.post(f"{client.sim.url}/control/inbound", json=said) as answer:
            told = await answer.json()

        assert told["status"] == 200
        assert (ear.said("Body"), ear.said("MessageSid"), ear.said("X")) == (
            ["1"],
            [told["id"]],
            ["y"],
        )


async def test_port_in_use_is_an_error_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = SimulatorSettings(http_port=taken.getsockname()[1])

        with pytest.raises(OSError, match="address already in use"):
            await run(settings, stop=asyncio.Event())


async def test_it_runs_until_told_to_stop() -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run(SimulatorSettings(http_port=0), stop=stop))

    stop.set()

    await asyncio.wait_for(running, 10)


def test_chance_is_the_same_for_the_same_seed_and_near_its_rate() -> None:
    rates = Rates(undelivered=0.1, error_500=0.1)
    numbers = [f"+62812{number:07d}" for number in range(2000, 2999)]
    numbers = [number for number in numbers if number[-4:] not in NUMBERS]

    fates = [Chance(7, rates).number("sms", number) for number in numbers]

    assert fates == [Chance(7, rates).number("sms", number) for number in numbers]
    assert fates != [Chance(8, rates).number("sms", number) for number in numbers]
    assert 50 < sum(fate.code == 30003 for fate in fates) < 150
    assert 50 < sum(fate.door is Door.BROKEN_BOOKED for fate in fates) < 150


def test_people_are_shown_the_whole_table_of_magic() -> None:
    text = DOCS.read_text(encoding="utf-8")

    for digits, fate in NUMBERS.items():
        assert f"| …{digits} | {fate.says} |" in text
    for mailbox, mail_fate in MAILBOXES.items():
        assert f"| {mailbox}@ | {mail_fate.says} |" in text
    for hook, says in HOOKS.items():
        assert f"| /hook/{hook} | {says} |" in text
