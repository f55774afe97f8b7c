"""Connections are kept, counted and replaced; the urgent finds one free."""

import asyncio

import pytest

from channels._shared.smtp_pool import Pool
from channels._shared.smtp_relay import NoConnectionError, open_conversation
from channels._shared.smtp_relay import Relay as SmtpRelay
from channels._shared.smtp_slots import Slots
from kentongan.alert import Lane
from kentongan.outcome import Accepted, Deferred
from tests.fakes import mail
from tests.fakes.mail import channel_to, envelope, open_gate, wording
from tests.fakes.smtp import Deed, Relay, listening


def soon() -> float:
    """Five seconds from now, by the loop's clock."""
    return asyncio.get_running_loop().time() + 5


async def test_connection_is_kept_for_the_next_letter() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        for _ in range(5):
            await mail.send_one(channel)

    assert relay.connections == 1
    assert len(relay.messages) == 5


async def test_connection_is_replaced_after_so_many_letters() -> None:
    async with (
        listening(Relay()) as relay,
        channel_to(relay, messages_per_connection=2) as channel,
    ):
        for _ in range(5):
            await mail.send_one(channel)

    assert relay.connections == 3


async def test_many_letters_share_few_connections() -> None:
    async with listening(Relay()) as relay, channel_to(relay, connections=4) as channel:
        prepared = channel.prepare(wording())
        sends = (channel.send(prepared, envelope(), open_gate) for _ in range(100))

        outcomes = await asyncio.gather(*sends)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(relay.messages) == 100
    assert relay.most_open <= 4


async def test_connection_that_the_relay_closed_in_the_meantime_costs_nothing() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        await mail.send_one(channel)

        relay.hang_up("421 4.4.2 idle for too long")
        while relay.open_now:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0)
        outcome = await mail.send_one(channel)

    assert isinstance(outcome, Accepted)
    assert relay.connections == 2


async def test_urgent_letter_overtakes_where_routine_ones_hold_all_they_may() -> None:
    answers = {"RCPT": [Deed.STALL]}
    async with (
        listening(Relay(answers=answers)) as relay,
        channel_to(relay, connections=4, reply_timeout=30, total_timeout=40) as channel,
    ):
        prepared = channel.prepare(wording())
        routine = [
            asyncio.ensure_future(channel.send(prepared, envelope(), open_gate)) for _ in range(9)
        ]
        while relay.verbs().count("RCPT") < 3:
            await asyncio.sleep(0.005)
        relay.answers = {}

        urgent = envelope(lane=Lane.FLASH)
        outcome = await channel.send(prepared, urgent, open_gate)

        waiting = [task for task in routine if not task.done()]
        for task in routine:
            task.cancel()
        await asyncio.gather(*routine, return_exceptions=True)

    assert isinstance(outcome, Accepted)
    assert len(waiting) == 9


async def test_slot_of_those_who_went_away_is_not_lost() -> None:
    slots = Slots[int](1, list[int]().append)
    assert slots.take_now(urgent=False)
    gone = [asyncio.ensure_future(slots.take(urgent=urgent)) for urgent in (False, True, False)]
    last = asyncio.ensure_future(slots.take(urgent=False))
    await asyncio.sleep(0)

    gone[0].cancel()  # while it waits
    slots.free(urgent=False)
    gone[1].cancel()  # when it has just been called
    gone[2].cancel()
    await asyncio.wait_for(last, 5)

    slots.free(urgent=False)
    assert slots.take_now(urgent=True)
    assert not slots.take_now(urgent=True)


async def test_those_who_wait_are_served_in_turn_and_the_urgent_first() -> None:
    slots, served = Slots[int](1, list[int]().append), list[str]()

    async def wait(name: str, *, urgent: bool) -> None:
        await slots.take(urgent=urgent)
        served.append(name)
        slots.free(urgent=urgent)

    assert slots.take_now(urgent=False)
    waiting = [
        asyncio.ensure_future(wait(name, urgent=name == "urgent"))
        for name in ("first", "second", "urgent")
    ]
    await asyncio.sleep(0)
    slots.free(urgent=False)
    await asyncio.gather(*waiting)

    assert served == ["urgent", "first", "second"]


async def test_connection_that_idled_too_long_is_ended_without_anyone_asking() -> None:
    async with listening(Relay()) as relay:
        at = SmtpRelay(host="127.0.0.1", port=relay.port, helo="bpbd.example.id")
        pool = Pool(lambda: open_conversation(at), size=2, idle=0.05)

        pool.give_back(await pool.take(urgent=False, ends=soon()))
        while relay.open_now:
            await asyncio.sleep(0.005)

        await pool.close()
    assert relay.verbs() == ["EHLO", "QUIT"]


async def test_connection_that_could_not_be_made_holds_no_slot(unused_tcp_port: int) -> None:
    at = SmtpRelay(host="127.0.0.1", port=unused_tcp_port, helo="bpbd.example.id")
    pool = Pool(lambda: open_conversation(at), size=1)

    for _ in range(3):
        with pytest.raises(NoConnectionError):
            await asyncio.wait_for(pool.take(urgent=False, ends=soon()), 5)


async def test_who_finds_no_connection_free_in_time_has_sent_nothing() -> None:
    answers = {"RCPT": [Deed.STALL]}
    async with (
        listening(Relay(answers=answers)) as relay,
        channel_to(relay, connections=1, reply_timeout=30, total_timeout=0.3) as channel,
    ):
        prepared = channel.prepare(wording())
        sends = (channel.send(prepared, envelope(), open_gate) for _ in range(3))

        outcomes = await asyncio.gather(*sends)

    assert all(isinstance(outcome, Deferred) for outcome in outcomes)
    assert not relay.messages


async def test_letter_after_closing_leaves_no_connection_behind() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        await channel.close()
        await mail.send_one(channel)
        while relay.open_now:
            await asyncio.sleep(0.005)

    assert relay.verbs()[-1] == "QUIT"
