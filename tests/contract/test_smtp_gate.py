"""Between holding a connection and the first byte: the last chance to stop, and what cuts later."""

import asyncio

from kentongan.outcome import Accepted, Deferred, NotBegun, NotBegunError, Reason
from tests.fakes.mail import channel_to, envelope, open_gate, wording
from tests.fakes.smtp import Deed, Relay, listening


async def test_closed_gate_writes_nothing_and_keeps_the_connection() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        prepared = channel.prepare(wording())

        async def closed(_transport: object) -> None:
            raise NotBegunError(Reason.STOPPED)

        stopped = await channel.send(prepared, envelope(), closed)
        heard_until_then = relay.verbs()
        sent = await channel.send(prepared, envelope(), open_gate)

    assert stopped == NotBegun(Reason.STOPPED)
    assert heard_until_then == ["EHLO"]
    assert isinstance(sent, Accepted)
    assert relay.connections == 1


async def test_gate_is_asked_once_with_the_connection_in_hand() -> None:
    asked: list[list[str]] = []
    async with listening(Relay()) as relay, channel_to(relay) as channel:

        async def gate(_transport: object) -> None:
            asked.append(relay.verbs())

        await channel.send(channel.prepare(wording()), envelope(), gate)

    assert asked == [["EHLO"]]


async def test_cancelled_letter_is_cut_and_never_finished() -> None:
    async with (
        listening(Relay(answers={"DATA": [Deed.STALL]})) as relay,
        channel_to(relay, reply_timeout=60, total_timeout=50) as channel,
    ):
        task = asyncio.ensure_future(
            channel.send(channel.prepare(wording()), envelope(), open_gate)
        )
        while "DATA" not in relay.verbs():
            await asyncio.sleep(0.005)

        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
    assert not relay.messages


async def test_lapsed_lease_cuts_what_is_on_its_way() -> None:
    async with (
        listening(Relay(answers={"DATA": [Deed.STALL]})) as relay,
        channel_to(relay, reply_timeout=60, total_timeout=50) as channel,
    ):
        task = asyncio.ensure_future(
            channel.send(channel.prepare(wording()), envelope(), open_gate)
        )
        while "DATA" not in relay.verbs():
            await asyncio.sleep(0.005)

        channel.abort()
        outcome = await task

    assert isinstance(outcome, Deferred)
    assert not relay.messages


async def test_connection_that_ends_while_the_gate_is_asked_again_has_carried_nothing() -> None:
    asked: list[asyncio.Transport] = []

    async def cuts_the_second_time(transport: asyncio.BaseTransport | None) -> None:
        assert isinstance(transport, asyncio.Transport)
        asked.append(transport)
        if len(asked) > 1:
            transport.abort()
            await asyncio.sleep(0.05)

    async with (
        listening(Relay(answers={"DATA": [Deed.LATE]})) as relay,
        channel_to(relay, reply_timeout=5) as channel,
    ):
        prepared = channel.prepare(wording())
        outcome = await channel.send(prepared, envelope(), cuts_the_second_time)

    assert len(asked) == 2
    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.NO_CONNECTION
    assert not relay.messages
