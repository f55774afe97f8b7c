"""What a relay does and says at any point of the dialogue, and which outcome that is."""

import asyncio
from collections.abc import Sequence

import pytest

from channels._shared.smtp_place import Place
from channels._shared.smtp_relay import Relay as SmtpRelay
from channels._shared.smtp_relay import open_conversation
from channels._shared.smtp_transaction import Letter, Patience, Transaction
from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused, Unknown
from tests.fakes.mail import channel_to, envelope, open_gate, wording
from tests.fakes.smtp import BARE, EVERYTHING, Answer, Deed, Relay, listening


async def outcome_with(answers: dict[str, Sequence[Answer]], *extensions: str) -> Outcome:
    async with (
        listening(Relay(answers=answers, extensions=extensions)) as relay,
        channel_to(relay) as channel,
    ):
        return await channel.send(channel.prepare(wording()), envelope(), open_gate)


BEFORE_THE_DOT = ["MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("extensions", [EVERYTHING, BARE], ids=["pipelining", "step by step"])
@pytest.mark.parametrize("verb", BEFORE_THE_DOT)
@pytest.mark.parametrize("deed", [Deed.STALL, Deed.DROP, Deed.RESET, b"!?\r\n", b"250 \xff\x00\r"])
async def test_what_breaks_before_the_final_dot_was_not_sent(
    verb: str, deed: Answer, extensions: tuple[str, ...]
) -> None:
    outcome = await outcome_with({verb: [deed]}, *extensions)

    assert isinstance(outcome, Deferred)
    assert outcome.reason in {Reason.NO_CONNECTION, Reason.PROVIDER_TROUBLE}


@pytest.mark.parametrize("deed", [Deed.STALL, Deed.DROP, Deed.RESET])
async def test_silence_after_the_final_dot_is_unknown(deed: Deed) -> None:
    outcome = await outcome_with({"DOT": [deed]}, *EVERYTHING)

    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.NO_REPLY


@pytest.mark.parametrize("answer", [b"!?\r\n", b"354 more\r\n", b"2" * 100_000])
async def test_garbage_after_the_final_dot_is_unknown(answer: bytes) -> None:
    outcome = await outcome_with({"DOT": [answer]}, *EVERYTHING)

    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.GARBLED_REPLY


@pytest.mark.parametrize("verb", ["GREETING", "EHLO"])
@pytest.mark.parametrize("answer", [Deed.DROP, Deed.RESET, b"!?\r\n", "421 4.3.2 closing"])
async def test_relay_that_does_not_let_us_in_has_got_nothing(verb: str, answer: Answer) -> None:
    outcome = await outcome_with({verb: [answer], "HELO": [answer]})

    assert isinstance(outcome, Deferred)


async def test_relay_of_old_is_greeted_the_old_way() -> None:
    outcome = await outcome_with({"EHLO": ["502 5.5.1 what?"]})

    assert isinstance(outcome, Accepted)


def letter_of(content: bytes) -> Letter:
    mail, rcpt = b"MAIL FROM:<a@example.id>\r\n", b"RCPT TO:<b@example.id>\r\n"
    return Letter(mail=mail, rcpt=rcpt, content=content)


async def test_body_that_the_relay_does_not_read_was_not_sent() -> None:
    letter = letter_of(b"air\r\n" * 4_000_000)
    async with listening(Relay(answers={"DATA": [Deed.STOP_READING]})) as relay:
        at = SmtpRelay(host="127.0.0.1", port=relay.port, helo="bpbd.example.id")
        talk = await open_conversation(at)

        outcome = await Transaction(Place(talk), Patience(reply=2, after_dot=0.2)).carry(letter)

        await asyncio.wait([talk.lost], timeout=5)
    assert isinstance(outcome, Deferred)
    assert not relay.messages


async def test_body_that_the_relay_does_not_read_in_time_is_cut_off_when_the_alert_ends() -> None:
    letter = letter_of(b"air\r\n" * 4_000_000)
    async with listening(Relay(answers={"DATA": [Deed.STOP_READING]})) as relay:
        at = SmtpRelay(host="127.0.0.1", port=relay.port, helo="bpbd.example.id")
        talk = await open_conversation(at)
        ends = asyncio.get_running_loop().time() + 0.3

        outcome = await Transaction(Place(talk), Patience(after_dot=60), not_after=ends).carry(
            letter
        )

        await asyncio.wait([talk.lost], timeout=5)
    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.EXPIRED
    assert not relay.messages


async def test_long_letter_that_the_relay_reads_slowly_goes_out_whole() -> None:
    letter = letter_of(b"air\r\n" * 2_000_000)
    async with listening(Relay()) as relay:
        at = SmtpRelay(host="127.0.0.1", port=relay.port, helo="bpbd.example.id")
        talk = await open_conversation(at)

        outcome = await Transaction(Place(talk), Patience(reply=10, after_dot=30)).carry(letter)

        talk.abort()
    assert isinstance(outcome, Accepted)
    assert relay.messages[0].data == letter.content


async def test_closed_port_is_no_connection(unused_tcp_port: int) -> None:
    async with channel_to(Relay(port=unused_tcp_port)) as channel:
        outcome = await channel.send(channel.prepare(wording()), envelope(), open_gate)

    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.NO_CONNECTION


async def test_name_that_does_not_resolve_is_no_connection() -> None:
    async with channel_to(Relay(), host="nowhere.invalid", allow_plaintext=True) as channel:
        outcome = await channel.send(channel.prepare(wording()), envelope(), open_gate)

    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.NO_CONNECTION


async def test_whole_message_has_one_time_limit() -> None:
    async with (
        listening(Relay(answers={"RCPT": [Deed.STALL]})) as relay,
        channel_to(relay, total_timeout=0.3, reply_timeout=60) as channel,
    ):
        outcome = await channel.send(channel.prepare(wording()), envelope(), open_gate)

    assert isinstance(outcome, Deferred)


async def test_alert_that_ends_on_the_way_gets_no_final_dot() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        outcome = await channel.send(channel.prepare(wording()), envelope(remaining=0), open_gate)

    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.EXPIRED
    assert not relay.messages


@pytest.mark.parametrize("extensions", [EVERYTHING, BARE], ids=["pipelining", "step by step"])
async def test_refused_letter_leaves_the_connection_clean_for_the_next(
    extensions: tuple[str, ...],
) -> None:
    answers = {"RCPT": ["550 5.1.1 no such user", ""], "DATA": ["503 5.5.1 no recipients", ""]}
    if not extensions:
        answers["DATA"] = [""]
    async with (
        listening(Relay(answers=answers, extensions=extensions)) as relay,
        channel_to(relay) as channel,
    ):
        prepared = channel.prepare(wording())

        first = await channel.send(prepared, envelope(), open_gate)
        second = await channel.send(prepared, envelope(), open_gate)

    assert first == Refused(Reason.INVALID_ADDRESS, "550 5.1.1 no such user")
    assert isinstance(second, Accepted)
    assert relay.connections == 1
    assert relay.verbs().count("RSET") == 1


async def test_content_that_is_asked_for_in_spite_of_a_refusal_is_a_lone_dot() -> None:
    answers = {"RCPT": ["550 5.1.1 no such user"], "DOT": ["250 2.0.0 taken"]}
    async with listening(Relay(answers=answers)) as relay, channel_to(relay) as channel:
        outcome = await channel.send(channel.prepare(wording()), envelope(), open_gate)

    assert isinstance(outcome, Refused)
    assert relay.messages[0].data == b"\r\n"


async def test_421_drops_the_connection_and_is_not_charged() -> None:
    answers = {"MAIL": ["421 4.7.0 too much from you", ""]}
    async with listening(Relay(answers=answers)) as relay, channel_to(relay) as channel:
        prepared = channel.prepare(wording())

        first = await channel.send(prepared, envelope(), open_gate)
        second = await channel.send(prepared, envelope(), open_gate)

    assert isinstance(first, Deferred)
    assert (first.reason, first.counted) == (Reason.THROTTLED, False)
    assert isinstance(second, Accepted)
    assert relay.connections == 2


async def test_refusal_after_the_dot_is_a_refusal() -> None:
    outcome = await outcome_with({"DOT": ["554 5.7.1 looks like spam"]}, *EVERYTHING)

    assert outcome == Refused(Reason.DESTINATION, "554 5.7.1 looks like spam")
