"""Promises that every channel keeps: ours, plugged-in ones, and a file that was just dropped in."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from channels import AnyChannel, discover
from kentongan.channel import (
    AddressError,
    Callback,
    ForgedCallbackError,
    Gate,
    NotPractisableError,
    Repeat,
)
from kentongan.message import Envelope, Option, Preview, Wording
from kentongan.outcome import Deferred, NotBegun, Outcome, Reason, Refused, Unknown
from kentongan.settings import SettingsError, load, names_of, refuse_strangers
from tests.fakes import servers
from tests.fakes.channels import (
    SECRET,
    TEXT,
    TOKEN,
    CountingGate,
    deployment,
    envelope,
    envelopes,
    simulator_at,
    wording,
    wordings,
)

EVERY = discover()
each_channel = pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY.keys())
Kind = type[AnyChannel]

#: Some address for any channel: the first that its `check` takes.
ADDRESSES = (
    "+6281234567890",
    "siti@example.org",
    "https://example.org/hook",
    "siti",
    "8123456",
)
FEW = settings(max_examples=20, deadline=None)


def built(kind: Kind, url: str = "", smtp_port: int = 0) -> AnyChannel:
    """Build a channel that can only reach loopback: as for practice, else from its examples."""
    nowhere = servers.closed_port()
    at = simulator_at(url or f"http://127.0.0.1:{nowhere}", smtp_port or nowhere)
    try:
        return kind.for_simulator(at, deployment())
    except NotPractisableError:
        return kind(load(kind.settings_type, example_environ(kind)), deployment())


def example_environ(kind: Kind) -> dict[str, str]:
    """Return the environment of a channel without a simulator: each field's first example."""
    prefix = kind.settings_type.model_config["env_prefix"]
    return {
        f"{prefix}{name}".upper(): str(field.examples[0])
        for name, field in kind.settings_type.model_fields.items()
        if field.examples
    }


@asynccontextmanager
async def facing(kind: Kind, talk: servers.Talk) -> AsyncIterator[tuple[AnyChannel, servers.Heard]]:
    """Build a channel against an HTTP server that behaves as `talk`, and a willing SMTP server."""
    async with servers.serving(talk) as http, servers.serving(servers.smtp) as smtp:
        channel = built(kind, http.url, smtp.port)
        try:
            yield channel, http
            http.requests.extend(smtp.requests)
        finally:
            await channel.close()


def address_for(channel: AnyChannel) -> str:
    for address in ADDRESSES:
        try:
            return channel.check(address)
        except AddressError:
            continue
    raise AssertionError(f"add an address that {channel.name} takes to ADDRESSES")


async def sent(channel: AnyChannel, gate: Gate, **changes: Any) -> Outcome:
    prepared = channel.prepare(wording())
    return await channel.send(prepared, envelope(address_for(channel), **changes), gate)


@pytest.fixture(params=EVERY)
async def channel(request: pytest.FixtureRequest) -> AsyncIterator[AnyChannel]:
    """A channel whose provider is away."""
    made = built(EVERY[request.param])
    yield made
    await made.close()


# --- what it says of itself


def test_no_channel_of_ours_is_lost() -> None:
    assert set(EVERY) >= {"sms", "voice", "email", "webhook"}


@each_channel
async def test_what_can_never_be_sent_is_said_before_it_is_accepted(kind: Kind) -> None:
    many = tuple(Option(key=str(key), label={"en": "&" * 60}) for key in range(1, 10))
    full = wording(
        headline="h" * kind.limits.headline, text="&" * kind.limits.text, options=many, locale="en"
    )

    async with facing(kind, servers.answering(201)) as (channel, _):
        prepared = channel.prepare(full)
        outcome = await channel.send(prepared, envelope(address_for(channel)), CountingGate())

    refused = isinstance(outcome, Refused) and outcome.reason is Reason.CONTENT
    assert refused == bool(channel.preview(prepared).excess)


@each_channel
def test_name_serves_in_urls_settings_and_metrics(kind: Kind) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]{1,30}", kind.name)
    assert kind.settings_type.model_config.get("env_prefix") == f"KENTONGAN_{kind.name.upper()}_"


@each_channel
def test_every_setting_says_what_it_is(kind: Kind) -> None:
    for name, field in kind.settings_type.model_fields.items():
        assert field.description, name


async def test_pace_limits_and_schedule_are_usable(channel: AnyChannel) -> None:
    assert channel.sender
    assert channel.pace.units_per_second > 0
    assert channel.pace.burst >= 1
    assert channel.concurrency is None or channel.concurrency >= 1
    assert channel.limits.text > 0
    assert list(channel.retry.waits) == sorted(channel.retry.waits)
    assert isinstance(channel.repeat, Repeat)


# --- settings


async def test_channel_is_configured_from_its_own_variables(channel: AnyChannel) -> None:
    kind = type(channel)
    environ = environ_of(channel)

    refuse_strangers([kind.settings_type], environ)
    again = kind(load(kind.settings_type, environ), deployment())

    assert again.sender == channel.sender
    await again.close()


async def test_bad_number_is_one_sentence_that_names_its_variable(channel: AnyChannel) -> None:
    kind = type(channel).settings_type
    fields = kind.model_fields.items()
    for name in [name for name, field in fields if field.annotation in {int, float}]:
        variable = f"{kind.model_config['env_prefix']}{name}".upper()
        with pytest.raises(SettingsError, match=variable):
            load(kind, environ_of(channel) | {variable: "many"})


def environ_of(channel: AnyChannel) -> dict[str, str]:
    prefix = channel.settings.model_config["env_prefix"]
    values = {name: getattr(channel.settings, name) for name in type(channel.settings).model_fields}
    environ = {f"{prefix}{name}".upper(): _text(value) for name, value in values.items()}
    assert set(environ) == names_of(type(channel.settings))
    return {name: text for name, text in environ.items() if text}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return value.get_secret_value()
        case list() | tuple() | set() | frozenset():
            return ",".join(_text(each) for each in value)
        case _:
            return str(value)


# --- addresses and words


ANYTHING = st.text(alphabet=st.characters(codec=None), max_size=80) | st.sampled_from(ADDRESSES)


async def test_address_has_one_normal_form_or_is_refused(channel: AnyChannel) -> None:
    @settings(deadline=None)
    @given(text=ANYTHING)
    def holds(text: str) -> None:
        normal = None
        with suppress(AddressError):
            normal = channel.check(text)
        if normal is not None:
            assert channel.check(normal) == normal

    holds()
    assert channel.check(address_for(channel))


async def test_any_wording_can_be_prepared_measured_and_shown(channel: AnyChannel) -> None:
    @settings(deadline=None)
    @given(words=wordings())
    def holds(words: Wording) -> None:
        prepared = channel.prepare(words)
        preview = channel.preview(prepared)
        assert isinstance(preview, Preview)
        assert preview.units == channel.units(prepared) >= 1
        (preview.subject + preview.text).encode()

    holds()


# --- sending


@each_channel
@FEW
@given(data=st.data())
def test_send_raises_for_no_wording_and_no_envelope(kind: Kind, data: st.DataObject) -> None:
    words = data.draw(wordings())
    to = data.draw(envelopes(address_for(built(kind))))

    async def scenario(words: Wording, to: Envelope) -> Outcome:
        async with facing(kind, servers.answering(500)) as (channel, _):
            return await channel.send(channel.prepare(words), to, CountingGate())

    assert isinstance(asyncio.run(scenario(words, to)), Outcome)


async def test_provider_that_is_away_defers_and_the_gate_is_never_asked(
    channel: AnyChannel,
) -> None:
    gate = CountingGate()

    outcome = await sent(channel, gate)

    assert isinstance(outcome, Deferred)
    assert gate.asked == 0


@each_channel
async def test_gate_is_asked_exactly_once_per_send(kind: Kind) -> None:
    gate = CountingGate()

    async with facing(kind, servers.answering(200)) as (channel, _):
        for _ in range(3):
            await sent(channel, gate)

    assert gate.asked == 3


@each_channel
async def test_no_more_sends_are_under_way_at_once_than_it_says(kind: Kind) -> None:
    gate = CrowdedGate()

    async with facing(kind, servers.answering(200)) as (channel, _):
        if channel.concurrency is None:
            pytest.skip(f"{kind.name} has no limit")
        most = channel.concurrency
        await asyncio.gather(*(sent(channel, gate) for _ in range(most + 8)))

    assert 1 <= gate.most <= most


class CrowdedGate:
    """Lets everyone through, each after a while, and knows how many stood in it at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def __call__(self, _transport: asyncio.BaseTransport | None) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.02)
        self.inside -= 1


@each_channel
async def test_closed_gate_lets_nothing_of_the_message_out(kind: Kind) -> None:
    gate = CountingGate(stops_with=Reason.STOPPED)

    async with facing(kind, servers.answering(200)) as (channel, heard):
        outcome = await sent(channel, gate)

    assert outcome == NotBegun(Reason.STOPPED)
    assert gate.asked == 1
    assert b"POST" not in heard.everything
    assert b"MAIL FROM" not in heard.everything.upper()


@each_channel
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_server_error_leaves_open_whether_it_was_sent(kind: Kind, status: int) -> None:
    outcome = await faced(kind, servers.answering(status))

    assert_uncertain(kind, outcome)


@each_channel
@pytest.mark.parametrize(
    "talk",
    [servers.reset, servers.saying(b""), servers.saying(b"\x00\xff garbage\r\n\r\n")],
    ids=["reset", "no answer", "garbage"],
)
async def test_broken_answer_leaves_open_whether_it_was_sent(
    kind: Kind, talk: servers.Talk
) -> None:
    outcome = await faced(kind, talk)

    assert_uncertain(kind, outcome)


@each_channel
@pytest.mark.parametrize("status", [201, 204, 301, 307, 400, 401, 404, 410, 418, 429, 599, 999])
async def test_no_status_makes_send_raise(kind: Kind, status: int) -> None:
    outcome = await faced(kind, servers.answering(status, "Location: http://127.0.0.1:1/\r\n"))

    assert isinstance(outcome, Outcome)
    assert len(getattr(outcome, "detail", "")) <= 500


async def faced(kind: Kind, talk: servers.Talk) -> Outcome:
    async with facing(kind, talk) as (channel, heard):
        outcome = await sent(channel, CountingGate())
        if b" /" not in heard.everything:
            pytest.skip(f"{kind.name} speaks no HTTP; its own tests say what it does")
        return outcome


def assert_uncertain(kind: Kind, outcome: Outcome) -> None:
    if kind.repeat is Repeat.ALWAYS:  # nothing is lost by repeating what may have arrived
        assert isinstance(outcome, Deferred)
    else:
        assert isinstance(outcome, Unknown)


# --- secrets


@each_channel
@pytest.mark.parametrize("status", [200, 401, 500])
async def test_secrets_addresses_and_words_stay_inside(
    kind: Kind, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async with facing(kind, servers.answering(status)) as (channel, _):
        outcome = await sent(channel, CountingGate())
        shown = [repr(channel), repr(channel.settings), repr(outcome), caplog.text]
        address = address_for(channel)

    for text in shown:
        assert SECRET not in text
        assert TOKEN not in text
        assert TEXT not in text
        assert address not in text


# --- callbacks


CALLBACKS = st.builds(
    Callback,
    kind=st.sampled_from(["status", "inbound", "voice", "answer", ""]),
    url=st.just("https://warn.example.org/callbacks/x/status"),
    query=st.dictionaries(st.sampled_from(["d", "l", "x"]), st.text(max_size=40)),
    headers=st.dictionaries(st.sampled_from(["x-twilio-signature", "host"]), st.text(max_size=40)),
    form=st.dictionaries(
        st.sampled_from(["MessageSid", "MessageStatus", "CallSid", "CallStatus", "Digits", "From"]),
        st.lists(st.text(max_size=20), max_size=2).map(tuple),
    ),
    body=st.binary(max_size=100),
)


@each_channel
@given(callback=CALLBACKS)
@FEW
def test_unsigned_callback_is_refused(kind: Kind, callback: Callback) -> None:
    channel = built(kind)

    with pytest.raises(ForgedCallbackError):
        channel.authenticate(callback)


@each_channel
@given(callback=CALLBACKS)
@FEW
def test_callback_that_makes_no_sense_is_no_report(kind: Kind, callback: Callback) -> None:
    channel = built(kind)

    assert list(channel.receipts(callback)) is not None


# --- the end


@each_channel
async def test_close_may_come_twice_and_before_anything_was_sent(kind: Kind) -> None:
    unused = built(kind)
    await unused.close()
    await unused.close()

    async with facing(kind, servers.answering(200)) as (channel, _):
        await sent(channel, CountingGate())
        await channel.close()
        await channel.close()


@each_channel
async def test_warming_up_needs_no_provider(kind: Kind) -> None:
    channel = built(kind)

    await channel.warm()

    await channel.close()
