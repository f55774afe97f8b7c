"""No letter pays for the trouble of the one before it on its connection."""

import asyncio
import ssl
from collections.abc import Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from channels._shared.smtp import LostError
from channels._shared.smtp_place import Place
from channels._shared.smtp_relay import Relay as SmtpRelay
from channels._shared.smtp_relay import open_conversation
from channels._shared.smtp_transaction import Letter, Patience, Transaction
from kentongan.alert import Lane
from kentongan.outcome import (
    Accepted,
    CutUnsentError,
    Deferred,
    NotBegun,
    NotBegunError,
    Outcome,
    Reason,
    Unknown,
)
from tests.fakes.fussy import fussy
from tests.fakes.mail import channel_to, open_gate, wording
from tests.fakes.mailing import letters, reached, to, until
from tests.fakes.smtp import Answer, Deed, Relay, listening
from tests.fakes.tls import made_in


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("deed", [Deed.DROP, Deed.RESET, "421 4.3.2 that is enough"])
async def test_connection_that_ends_for_one_letter_costs_no_other(verb: str, deed: Answer) -> None:
    answers = {verb: ["", deed, ""]}
    async with (
        listening(Relay(answers=answers)) as relay,
        channel_to(relay, connections=1) as channel,
    ):
        outcomes = await asyncio.gather(*letters(channel, 4))

    others = [*outcomes[:1], *outcomes[2:]]
    assert all(isinstance(outcome, Accepted) for outcome in others)
    assert [name for name in sorted(reached(relay)) if name != "1"] == ["0", "2", "3"]


async def test_letter_that_is_cut_short_takes_nothing_from_the_one_before() -> None:
    answers: dict[str, Sequence[Answer]] = {"DOT": [Deed.LATE, ""]}
    async with (
        listening(Relay(answers=answers)) as relay,
        channel_to(relay, connections=1, final_timeout=5) as channel,
    ):
        tasks = letters(channel, 3)
        await until(relay, "DATA")
        while not relay.messages:
            await asyncio.sleep(0.002)
        tasks[1].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes[0], Accepted)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert isinstance(outcomes[2], Accepted)
    assert sorted(reached(relay)) == ["0", "2"]


async def test_letter_behind_one_that_hangs_takes_another_connection() -> None:
    async with (
        listening(Relay(answers={"DOT": ["", Deed.STALL, ""]})) as relay,
        channel_to(relay, connections=2, final_timeout=30, total_timeout=45) as channel,
    ):
        tasks = letters(channel, 12, lane=Lane.FLASH)
        done, hanging = await asyncio.wait(tasks, timeout=10)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    assert [type(task.result()) for task in done] == [Accepted] * 11
    assert len(hanging) == 1


async def test_relay_that_forgets_what_came_behind_a_dot_gets_it_again() -> None:
    server = await asyncio.start_server(partial(fussy, forgets=True), "127.0.0.1", 0)
    relay = Relay(port=server.sockets[0].getsockname()[1])
    async with server, channel_to(relay, connections=1) as channel:
        outcomes = await asyncio.gather(*letters(channel, 4))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


async def test_relay_that_finds_an_envelope_out_of_order_gets_it_again() -> None:
    answers = {"MAIL": ["", "503 5.5.1 not now", ""]}
    async with (
        listening(Relay(answers=answers)) as relay,
        channel_to(relay, connections=1) as channel,
    ):
        outcomes = await asyncio.gather(*letters(channel, 3))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert sorted(reached(relay)) == ["0", "1", "2"]


async def test_letter_that_is_cut_behind_another_was_not_begun() -> None:
    async with (
        listening(Relay(answers={"DOT": [Deed.STALL]})) as relay,
        channel_to(relay, connections=1, final_timeout=30, total_timeout=45) as channel,
    ):
        unsent: list[int] = []

        async def noted(at: int, letter: Coroutine[Any, Any, Outcome]) -> None:
            try:
                await letter
            except CutUnsentError:
                unsent.append(at)

        prepared = channel.prepare(wording())
        sends = [channel.send(prepared, to(str(at)), open_gate) for at in range(2)]
        tasks = [asyncio.ensure_future(noted(at, send)) for at, send in enumerate(sends)]
        while not relay.messages:
            await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert unsent == [1]  # the first had left, dot and all
    assert reached(relay) == ["0"]


async def test_letters_behind_one_that_is_cut_may_follow_each_other_still() -> None:
    async with (
        listening(Relay(answers={"DOT": [Deed.LATE, ""]})) as relay,
        channel_to(relay, connections=1, final_timeout=5) as channel,
    ):
        tasks = letters(channel, 8)
        while not relay.messages:
            await asyncio.sleep(0.002)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert [piece for piece in relay.writes if b"\r\n.\r\nMAIL FROM" in piece]


async def test_probe_behind_a_letter_tells_of_the_relay_and_not_of_the_letter() -> None:
    async with (
        listening(Relay(answers={"DOT": [Deed.STALL, ""]})) as relay,
        channel_to(relay, connections=1, final_timeout=0.4) as channel,
    ):
        [letter] = letters(channel, 1, lane=Lane.FLASH)
        while not relay.messages:
            await asyncio.sleep(0.002)

        await channel.probe()
        outcome = await letter

    assert isinstance(outcome, Unknown)


async def test_lapsed_lease_lets_no_content_out_of_those_that_follow() -> None:
    lapsed = False

    async def gate(_transport: object) -> None:
        if lapsed:
            raise NotBegunError(Reason.LEASE_LOST)

    async with (
        listening(Relay(answers={"DOT": [Deed.STALL, ""]})) as relay,
        channel_to(relay, connections=1, final_timeout=30, total_timeout=45) as channel,
    ):
        tasks = letters(channel, 4, gates=[gate] * 4)
        while not relay.messages:
            await asyncio.sleep(0.002)
        lapsed = True
        channel.abort()
        first, *others = await asyncio.gather(*tasks)

    assert isinstance(first, Unknown)
    assert others == [NotBegun(Reason.LEASE_LOST)] * 3
    assert reached(relay) == ["0"]


@pytest.mark.parametrize("tls", [False, True])
async def test_content_that_the_relay_does_not_read_was_not_sent_whatever_stands_behind_it(
    tls: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    certificate = made_in(tmp_path)
    mail, rcpt = b"MAIL FROM:<a@example.id>\r\n", b"RCPT TO:<b@example.id>\r\n"
    letter = Letter(mail=mail, rcpt=rcpt, content=b"air\r\n" * 4_000_000)
    relay = Relay(answers={"DATA": [Deed.STOP_READING]})
    relay.tls, relay.implicit = (certificate.of_server(), True) if tls else (None, False)
    async with listening(relay):
        context = ssl.create_default_context(cafile=str(certificate.cert)) if tls else None
        at = SmtpRelay(
            host="127.0.0.1",
            port=relay.port,
            helo="bpbd.example.id",
            context=context,
            implicit=True,
        )
        talk = await open_conversation(at)
        first = Place(talk)
        behind = Place(talk, before=first).open(mail + rcpt + b"DATA\r\n", patience=5)

        outcome = await Transaction(first, Patience(reply=5, after_dot=0.3)).carry(letter)

        await asyncio.wait([talk.lost], timeout=5)
    # TLS does not tell how much of what it was given has left: then the letter counts as sent.
    assert isinstance(outcome, Unknown if tls else Deferred)
    assert isinstance(behind.answer.exception(), LostError)
    assert not relay.messages


async def test_place_whose_content_is_out_is_not_stranded_any_more() -> None:
    async with listening(Relay()) as relay:
        at = SmtpRelay(host="127.0.0.1", port=relay.port, helo="bpbd.example.id")
        talk = await open_conversation(at)
        first = Place(talk)
        await first.open(b"MAIL FROM:<a@b.id>\r\nRCPT TO:<c@d.id>\r\nDATA\r\n", patience=5).answer
        second = Place(talk, before=first)
        envelope = second.open(b"MAIL FROM:<a@b.id>\r\nRCPT TO:<e@f.id>\r\nDATA\r\n", patience=5)
        first.end(b"one\r\n.\r\n", patience=5)
        await envelope.answer

        second.strand()  # answered, though the first has not left yet
        final = second.end(b"two\r\n.\r\n", patience=5)
        second.strand()
        [reply] = await final.answer

        talk.quit()
    assert reply.is_positive
    assert reached(relay) == ["c", "e"]
