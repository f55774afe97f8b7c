"""What an answer of Twilio's proves, and what it leaves open."""

import asyncio
import json
from typing import Any

import pytest

from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused, Unknown
from tests.fakes import servers
from tests.fakes.channels import TEXT, TOKEN, CountingGate, envelope, wording
from tests.fakes.twilio import (
    MESSAGE_SID,
    PERSON,
    error,
    texting,
)


async def sent(channel: Any, gate: CountingGate | None = None) -> Outcome:
    prepared = channel.prepare(wording())
    async with asyncio.timeout(20):
        outcome = await channel.send(prepared, envelope(PERSON), gate or CountingGate())
    assert isinstance(outcome, Outcome)
    return outcome


async def answered(talk: servers.Talk, **changes: Any) -> Outcome:
    async with texting(talk, **changes) as (channel, heard):
        outcome = await sent(channel)
        assert len(heard.requests) == 1
        return outcome


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_success_with_a_sid_is_accepted(status: int) -> None:
    body = json.dumps({"sid": MESSAGE_SID}).encode()

    assert await answered(servers.answering(status, body=body)) == Accepted(MESSAGE_SID)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>Welcome</html>",
        b"\xff\xfe",
        b'{"sid": "SM12',
        b'{"sid": "SM12"}',
        b'{"sid": ["SM"]}',
        b'{"sid": "CA' + b"0" * 32 + b'"}',
        b'{"sid": "' + MESSAGE_SID.encode() + b'", "date_created": 7}',
        b'{"sid": "SM", "error_code": {}}',
        b"[" * 60_000,
        b'{"sid": "' + b"x" * 70_000 + b'"}',
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
async def test_success_without_a_sane_sid_leaves_it_open(body: bytes) -> None:
    outcome = await answered(servers.answering(201, body=body))

    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.GARBLED_REPLY


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 408, 500, 502, 503, 504, 599, 999])
async def test_answer_that_decides_nothing_leaves_it_open(status: int) -> None:
    elsewhere = "Location: /2010-04-01/elsewhere\r\n"

    assert isinstance(await answered(servers.answering(status, elsewhere)), Unknown)


@pytest.mark.parametrize("status", [400, 405, 409, 410, 413, 415, 418, 422, 451])
async def test_refusal_of_a_message_is_final(status: int) -> None:
    outcome = await answered(servers.answering(status))

    assert outcome == Refused(Reason.REJECTED, f"HTTP {status}")


@pytest.mark.parametrize("status", [401, 402, 403, 404, 407, 429])
async def test_fault_that_is_not_the_message_s_is_not_charged_to_it(status: int) -> None:
    outcome = await answered(servers.answering(status, body=b"<html>"))

    assert isinstance(outcome, Deferred)
    assert not outcome.counted


async def test_wish_to_wait_is_heard() -> None:
    outcome = await answered(servers.answering(429, "Retry-After: 7\r\n"))

    assert isinstance(outcome, Deferred)
    assert outcome.retry_after
    assert outcome.retry_after.total_seconds() == 7


@pytest.mark.parametrize("wish", ["soon", "-1", "1e9", "9" * 50, "²", ""])
async def test_wish_that_makes_no_sense_is_none(wish: str) -> None:
    talk = servers.answering(429, f"Retry-After: {wish}\r\n")

    outcome = await answered(talk)

    assert isinstance(outcome, Deferred)
    assert outcome.retry_after is None


async def test_detail_is_twilio_s_own_words_without_ours() -> None:
    words = f"The body '{TEXT}' of {TOKEN} is too long " + "x" * 600

    async with texting(error(400, 21617, words)) as (channel, _):
        outcome = await sent(channel)

    assert isinstance(outcome, Refused)
    assert outcome.detail.startswith("21617 (HTTP 400): The body '")
    assert len(outcome.detail) <= 500
    assert TOKEN not in outcome.detail


async def test_newer_kind_of_error_body_is_read_too() -> None:
    body = {"type": "x", "title": "Invalid", "status": 400, "code": 21211, "detail": "No number"}

    outcome = await answered(servers.answering(400, body=json.dumps(body).encode()))

    assert outcome == Refused(Reason.INVALID_ADDRESS, "21211 (HTTP 400): No number")


@pytest.mark.parametrize(
    "talk",
    [
        servers.hang,
        servers.reset,
        servers.saying(b""),
        servers.saying(b"HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{"),
        servers.saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        servers.saying(b"HTTP/1.1 201 Created\r\nX: " + b"x" * 100_000),
    ],
    ids=["stall", "reset", "hang-up", "half an answer", "garbage", "endless header"],
)
async def test_what_ends_after_the_request_left_leaves_it_open(talk: servers.Talk) -> None:
    outcome = await answered(talk, timeout=0.5)

    assert isinstance(outcome, Unknown)
    assert outcome.reason in {Reason.NO_REPLY, Reason.GARBLED_REPLY}


async def test_body_that_does_not_end_is_not_read_to_its_end() -> None:
    outcome = await answered(endless)

    assert outcome == Unknown(Reason.GARBLED_REPLY, "more than 65536 bytes")


async def endless(
    heard: servers.Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await servers.hear_request(heard, reader)
    writer.write(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()
