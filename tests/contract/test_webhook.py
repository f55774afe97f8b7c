"""What a webhook receiver hears, and what we make of its answer."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier

from channels._shared.http import retry_after
from channels._shared.wire import MOST_REPLY, Reply
from channels.webhook import MOST_BYTES, Webhook, WebhookSettings, outcome_of
from kentongan.alert import Mode, Option
from kentongan.ids import AttemptRef, new_alert_id, new_delivery_id
from kentongan.message import Wording
from kentongan.outcome import Accepted, Deferred, NotBegun, Outcome, Reason, Refused
from kentongan.receipt import ReceiptKind
from kentongan.settings import SettingsError, load
from kentongan.webhook_signing import signing_secret
from tests.fakes import servers
from tests.fakes.channels import (
    CountingGate,
    deployment,
    envelope,
    simulator_at,
    wording,
    wordings,
)

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def made(*, within: float = 5, **changes: Any) -> Webhook:
    settings = WebhookSettings(allow=["127.0.0.0/8"], timeout=within, **changes)
    return Webhook(settings, deployment())


async def sent(channel: Webhook, url: str, words: Wording | None = None, **changes: Any) -> Outcome:
    prepared = channel.prepare(words or wording())
    return await channel.send(prepared, envelope(url, **changes), CountingGate())


async def answered(talk: servers.Talk, *, within: float = 5) -> Outcome:
    channel = made(within=within)
    async with servers.serving(talk) as heard:
        outcome = await sent(channel, heard.url)
        await channel.close()
    return outcome


def parts(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.partition(":") for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}, body


# --- what it hears


async def test_receiver_can_verify_what_it_hears() -> None:
    channel = made()
    async with servers.serving(servers.answering(200)) as heard:
        url = channel.check(f"{heard.url}/hook")
        outcome = await sent(channel, url)
        await channel.close()

    headers, body = parts(heard.requests[0])
    secret = signing_secret(deployment().keyring, url)
    assert Verifier(secret).verify(body, headers)["type"] == "alert.delivery"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("Kentongan/")
    assert outcome == Accepted(receipt=ReceiptKind.DELIVERED)


async def test_repeat_has_the_same_id_and_the_same_body() -> None:
    channel, delivery = made(), new_delivery_id()
    async with servers.serving(servers.answering(503)) as heard:
        words = wording()
        await sent(channel, heard.url, words, attempt=AttemptRef(delivery, 1))
        await sent(channel, heard.url, words, attempt=AttemptRef(delivery, 2))
        await channel.close()

    (first, first_body), (second, second_body) = map(parts, heard.requests)
    assert first["webhook-id"] == second["webhook-id"] == delivery
    assert first_body == second_body


async def test_body_holds_the_alert_for_machines() -> None:
    earlier = new_alert_id()
    words = wording(
        mode=Mode.EXERCISE,
        locale="id",
        options=(Option(key="1", label={"en": "Safe", "id": "Aman"}),),
        references=(earlier,),
        text="LATIHAN: air naik 🌊\n“tutup”",
    )
    delivery = new_delivery_id()
    channel = made()
    async with servers.serving(servers.answering(200)) as heard:
        await sent(channel, heard.url, words, attempt=AttemptRef(delivery, 1))
        await channel.close()

    event = json.loads(parts(heard.requests[0])[1])
    assert event == {
        "type": "alert.delivery",
        "timestamp": "2026-03-01T08:00:00Z",
        "mode": "exercise",
        "data": {
            "alert_id": words.alert_id,
            "delivery_id": delivery,
            "mode": "exercise",
            "exercise": True,
            "type": "alert",
            "severity": "severe",
            "urgency": "immediate",
            "certainty": "observed",
            "category": ["met"],
            "headline": words.headline,
            "text": words.text,
            "locale": "id",
            "options": [{"key": "1", "label": "Aman"}],
            "references": [earlier],
            "respond_url": "https://warn.example.org/r/token",
            "expires_at": "2026-03-01T10:00:00Z",
        },
    }


@pytest.mark.parametrize("mode", Mode)
def test_no_structured_field_can_hide_a_drill(mode: Mode) -> None:
    forged = {"mode": "actual", "exercise": False, "delivery_id": "x", "text": "x"}
    channel = made()

    event = json.loads(channel.preview(channel.prepare(wording(mode=mode, structured=forged))).text)

    assert event["mode"] == event["data"]["mode"] == mode
    assert event["data"]["exercise"] is (mode is not Mode.ACTUAL)
    assert event["data"]["text"] != "x"


@given(words=wordings())
def test_every_body_is_json_without_doubled_names(words: Wording) -> None:
    channel = made()

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    json.loads(channel.preview(channel.prepare(words)).text, object_pairs_hook=once)


async def test_longest_text_fits_in_twenty_kilobytes() -> None:
    channel = made()
    words = wording(text="🌊" * channel.limits.text, headline="🌊" * channel.limits.headline)
    async with servers.serving(servers.answering(200)) as heard:
        outcome = await sent(channel, heard.url, words)
        await channel.close()

    assert isinstance(outcome, Accepted)
    assert len(parts(heard.requests[0])[1]) < MOST_BYTES


async def test_longer_body_is_refused_before_anybody_is_called() -> None:
    channel = made()
    async with servers.serving(servers.answering(200)) as heard:
        outcome = await sent(channel, heard.url, wording(text="x" * MOST_BYTES))

    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.CONTENT
    assert heard.connections == 0


# --- what it answers


def replied(status: int, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome_of(Reply(status=status, headers=named, body=b"", whole=True), NOW)


@pytest.mark.parametrize("status", range(200, 300))
def test_every_2xx_is_a_delivery(status: int) -> None:
    assert replied(status) == Accepted(receipt=ReceiptKind.DELIVERED)


@pytest.mark.parametrize("status", [*range(400, 408), 409, *range(411, 429), *range(430, 500)])
def test_4xx_is_refused_for_good(status: int) -> None:
    outcome = replied(status)

    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REJECTED


@pytest.mark.parametrize("status", [408, *range(500, 600)])
def test_5xx_and_408_are_tried_again(status: int) -> None:
    outcome = replied(status)

    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.PROVIDER_TROUBLE
    assert outcome.counted


def test_410_is_gone() -> None:
    assert replied(410) == Refused(Reason.GONE, "HTTP 410 Gone")


@pytest.mark.parametrize("status", [429, 503])
def test_receiver_that_names_a_time_is_left_alone_until_then(status: int) -> None:
    outcome = replied(status, Retry_After="7")

    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.THROTTLED
    assert outcome.retry_after == timedelta(seconds=7)
    assert not outcome.counted


def test_throttling_without_a_time_burns_no_attempt_either() -> None:
    assert replied(429) == Deferred(
        Reason.THROTTLED, "HTTP 429 Too Many Requests", retry_after=None, counted=False
    )


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 0),
        ("120", 120),
        (" 3 ", 3),
        ("1.5", 1.5),
        ("-5", 0),
        ("9" * 20, 86400),
        ("9" * 400, None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=90), usegmt=True), 0),
        ("Sun, 01 Mar 2026 08:01:00 -0000", 60),
        ("Sun, 99 Mar 2026 08:01:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86400),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, wait: float | None) -> None:
    expected = None if wait is None else timedelta(seconds=wait)

    assert retry_after(value, NOW) == expected


@given(st.text(alphabet=st.characters(codec=None)))
def test_retry_after_raises_for_nothing(value: str) -> None:
    wait = retry_after(value, NOW)

    assert wait is None or timedelta() <= wait <= timedelta(days=1)


async def test_endless_answer_is_read_no_further_than_needed() -> None:
    sent_off = 0

    async def talk(
        heard: servers.Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal sent_off
        await servers.hear_request(heard, reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()
            sent_off += 4096

    outcome = await answered(talk)

    assert isinstance(outcome, Accepted)
    assert sent_off < 200 * MOST_REPLY  # the rest lies in the kernel's buffers


@pytest.mark.parametrize(("status", "kind"), [(200, Accepted), (500, Deferred), (410, Refused)])
async def test_status_counts_even_if_its_body_never_ends(status: int, kind: type[Outcome]) -> None:
    async def talk(
        heard: servers.Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await servers.hear_request(heard, reader)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\nx".encode())
        await writer.drain()
        await asyncio.Event().wait()

    assert isinstance(await answered(talk, within=0.3), kind)


async def test_packed_answer_is_not_unpacked() -> None:
    bomb = servers.answering(200, "Content-Encoding: gzip\r\n", b"\x1f\x8b not gzip")

    assert isinstance(await answered(bomb), Accepted)


# --- trouble on the way


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (servers.hang, Reason.NO_REPLY),
        (servers.reset, Reason.NO_REPLY),
        (servers.hang_up, Reason.NO_REPLY),
        (servers.saying(b""), Reason.NO_REPLY),
        (servers.saying(b"HTTP/1.1 200"), Reason.NO_REPLY),
        (servers.saying(b"220 smtp.example ESMTP\r\n\r\n"), Reason.GARBLED_REPLY),
        (servers.saying(b"HTTP/1.1 2x0 OK\r\n\r\n"), Reason.GARBLED_REPLY),
        (servers.saying(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 40000), Reason.GARBLED_REPLY),
        (servers.saying(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), Reason.GARBLED_REPLY),
    ],
    ids=["stall", "reset", "hang up", "empty", "cut", "smtp", "bad status", "headers", "upgrade"],
)
async def test_trouble_after_the_first_byte_is_tried_again(
    talk: servers.Talk, reason: Reason
) -> None:
    outcome = await answered(talk, within=0.5)

    assert isinstance(outcome, Deferred)
    assert outcome.reason is reason


async def test_unencrypted_answer_to_tls_is_no_connection() -> None:
    gate = CountingGate()
    channel = made()

    async def talk(
        _: servers.Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with servers.serving(talk) as heard:
        to = envelope(heard.url.replace("http:", "https:"))
        outcome = await channel.send(channel.prepare(wording()), to, gate)
        await channel.close()

    assert outcome == Deferred(Reason.NO_CONNECTION, "TLS failed")
    assert gate.asked == 0


async def test_closed_gate_means_not_one_byte() -> None:
    channel = made()
    async with servers.serving(servers.answering(200)) as heard:
        gate = CountingGate(stops_with=Reason.LEASE_LOST)
        outcome = await channel.send(channel.prepare(wording()), envelope(heard.url), gate)
        await channel.close()

    assert outcome == NotBegun(Reason.LEASE_LOST)
    assert heard.requests == []


async def test_cancelled_call_gives_its_connection_back() -> None:
    channel = made(connections=1, connections_per_host=1)
    async with (
        servers.serving(servers.hang) as hanging,
        servers.serving(servers.answering(200)) as well,
    ):
        call = asyncio.create_task(sent(channel, hanging.url))
        while not hanging.requests:
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

        assert isinstance(await sent(channel, well.url), Accepted)
        await channel.close()


async def test_one_receiver_that_hangs_delays_no_other() -> None:
    channel = made(connections=10, connections_per_host=4)
    async with (
        servers.serving(servers.hang) as hanging,
        servers.serving(servers.answering(200)) as well,
    ):
        stuck = [asyncio.create_task(sent(channel, hanging.url)) for _ in range(30)]
        while hanging.connections < 4:
            await asyncio.sleep(0.01)

        outcomes = await asyncio.gather(*(sent(channel, well.url) for _ in range(20)))

        assert not any(task.done() for task in stuck)
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert hanging.connections == 4
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        await channel.close()


# --- practice and settings


async def test_practice_reaches_the_simulator_and_nobody_else() -> None:
    async with (
        servers.serving(servers.answering(200)) as simulator,
        servers.serving(servers.answering(200)) as real,
    ):
        channel = Webhook.for_simulator(simulator_at(simulator.url, 1), deployment())
        for url in (real.url, "https://ops.example.org/hook", f"{simulator.url}/hook/slow"):
            assert isinstance(await sent(channel, url), Accepted)
        await channel.close()

    paths = [request.split(b" ")[1] for request in simulator.requests]
    assert paths == [b"/hook/127.0.0.1", b"/hook/ops.example.org", b"/hook/slow"]
    assert real.connections == 0


async def test_demonstration_calls_nobodys_own_host() -> None:
    async with (
        servers.serving(servers.answering(200)) as simulator,
        servers.serving(servers.answering(200)) as real,
    ):
        channel = made(instead=f"{simulator.url}/hook")
        for url in (real.url, "https://gate.example.org/alerts", f"{simulator.url}/hook/slow"):
            address = channel.check(url)
            assert isinstance(await sent(channel, address), Accepted)
        await channel.close()

    paths = [request.split(b" ")[1] for request in simulator.requests]
    assert paths == [b"/hook/127.0.0.1", b"/hook/gate.example.org", b"/hook/slow"]
    assert real.connections == 0


@pytest.mark.parametrize("base", ["gate.example.org", "ftp://127.0.0.1/", "http://127.0.0.1/?x=1"])
def test_base_url_that_cannot_be_one_stops_the_start(base: str) -> None:
    with pytest.raises(SettingsError, match="KENTONGAN_WEBHOOK_INSTEAD"):
        load(WebhookSettings, {"KENTONGAN_WEBHOOK_INSTEAD": base})


def test_allowed_hosts_come_as_a_list() -> None:
    environ = {"KENTONGAN_WEBHOOK_ALLOW": "hooks.internal:8443, 10.1.0.0/16,"}

    assert load(WebhookSettings, environ).allow == ["hooks.internal:8443", "10.1.0.0/16"]


def test_bad_entry_stops_the_start_with_one_sentence() -> None:
    with pytest.raises(SettingsError, match=r"KENTONGAN_WEBHOOK_ALLOW .*never called"):
        load(WebhookSettings, {"KENTONGAN_WEBHOOK_ALLOW": "169.254.169.254"})
