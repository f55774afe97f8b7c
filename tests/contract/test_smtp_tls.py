"""Mail goes out encrypted and to whom we meant, or it does not go out; logins stay secret."""

import base64
import logging

import pytest

from kentongan.outcome import Accepted, Deferred, Reason
from tests.fakes import mail
from tests.fakes.mail import PASSWORD, channel_to
from tests.fakes.smtp import EVERYTHING, Deed, Relay, listening
from tests.fakes.tls import Certificate, made_in


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return made_in(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("extensions", [EVERYTHING, ()], ids=["pipelining", "step by step"])
async def test_letter_goes_out_encrypted(
    tls: str, extensions: tuple[str, ...], certificate: Certificate
) -> None:
    relay = Relay(tls=certificate.of_server(), implicit=tls == "implicit", extensions=extensions)
    async with (
        listening(relay),
        channel_to(relay, tls=tls, ca_certificates=str(certificate.cert)) as channel,
    ):
        outcomes = [await mail.send_one(channel) for _ in range(3)]

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert relay.connections == 1
    assert relay.verbs().count("STARTTLS") == (1 if tls == "starttls" else 0)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_certificate_that_nobody_vouches_for_gets_no_letter(
    tls: str, certificate: Certificate
) -> None:
    relay = Relay(tls=certificate.of_server(), implicit=tls == "implicit")
    async with listening(relay), channel_to(relay, tls=tls) as channel:
        outcome = await mail.send_one(channel)

    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.NO_CONNECTION
    assert "MAIL" not in relay.verbs()


@pytest.mark.parametrize(
    "answers", [{}, {"STARTTLS": ["454 4.7.0 not now"]}, {"STARTTLS": [Deed.DROP]}]
)
async def test_relay_that_fails_to_encrypt_gets_no_letter_in_the_clear(
    answers: dict[str, list[str]], certificate: Certificate
) -> None:
    relay = Relay(tls=certificate.of_server() if answers else None, answers=answers)
    async with listening(relay), channel_to(relay, tls="starttls") as channel:
        outcome = await mail.send_one(channel)

    assert isinstance(outcome, Deferred)
    assert "MAIL" not in relay.verbs()


async def test_login_goes_through() -> None:
    async with (
        listening(Relay(extensions=("AUTH PLAIN LOGIN",))) as relay,
        channel_to(relay, username="kentongan", password=PASSWORD) as channel,
    ):
        outcome = await mail.send_one(channel)

    assert isinstance(outcome, Accepted)
    assert relay.verbs()[:3] == ["EHLO", "AUTH", "MAIL"]


async def test_refused_login_is_a_fault_of_the_account_and_gives_nothing_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = base64.b64encode(f"\0kentongan\0{PASSWORD}".encode()).decode()
    answers = {"AUTH": [f"535 5.7.8 cannot use {echo} or {PASSWORD}"]}
    async with (
        listening(Relay(extensions=("AUTH PLAIN",), answers=answers)) as relay,
        channel_to(relay, username="kentongan", password=PASSWORD) as channel,
    ):
        outcome = await mail.send_one(channel)

        told = f"{outcome!r} {channel!r} {channel.settings!r} {vars(channel)!r} {caplog.text}"
    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.counted) == (Reason.ACCOUNT, False)
    assert PASSWORD not in told
    assert echo not in told


async def test_relay_without_login_is_a_fault_of_the_account() -> None:
    async with (
        listening(Relay()) as relay,
        channel_to(relay, username="kentongan", password=PASSWORD) as channel,
    ):
        outcome = await mail.send_one(channel)

    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.counted) == (Reason.ACCOUNT, False)
