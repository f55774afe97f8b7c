"""Mail as a stranger's server hears it, and what its answers mean."""

import email
from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest

from channels.email import Email
from kentongan.alert import AlertType, Lane, Mode, Severity
from kentongan.channel import AddressError, CannotAskError
from kentongan.deployment import SimulatorAt
from kentongan.ids import AttemptRef
from kentongan.outcome import (
    Accepted,
    Reason,
    Refused,
)
from kentongan.receipt import ReceiptKind
from tests.fakes import mail
from tests.fakes.mail import channel_to, envelope, open_gate, wording
from tests.fakes.smtp import BARE, EVERYTHING, Answer, Deed, Heard, Relay, listening


def parsed(heard: Heard) -> EmailMessage:
    read = email.message_from_bytes(heard.content, policy=default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read


def body(read: EmailMessage, subtype: str) -> str:
    part = read.get_body((subtype,))
    assert part is not None
    return str(part.get_content())


@pytest.mark.parametrize("extensions", [EVERYTHING, BARE], ids=["pipelining", "step by step"])
async def test_letter_arrives_with_both_bodies(extensions: tuple[str, ...]) -> None:
    async with listening(Relay(extensions=extensions)) as relay, channel_to(relay) as channel:
        prepared = channel.prepare(wording(headline="Banjir rob 🌊", text="Air naik — mengungsi!"))

        outcome = await channel.send(prepared, envelope(name="Žofie Ariani"), open_gate)

    assert outcome == Accepted(receipt=ReceiptKind.SENT)
    read = parsed(relay.messages[0])
    assert read["Subject"] == "Banjir rob 🌊"
    assert read.get_content_type() == "multipart/alternative"
    assert "Air naik — mengungsi!" in body(read, "plain")
    assert "Air naik — mengungsi!" in body(read, "html")
    assert "https://alerts.example.id/r/token?option=1" in body(read, "html")
    assert '<html lang="id">' in body(read, "html")
    assert read["To"].addresses[0].display_name == "Žofie Ariani"
    assert read["From"].addresses[0].display_name == "BPBD Kota Semarang"
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["X-Kentongan-Alert"] == mail.ALERT
    assert parsedate_to_datetime(read["Date"]).tzinfo is not None


async def test_envelope_goes_out_in_one_write_where_the_relay_offers_it() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        await channel.send(channel.prepare(wording()), envelope(), open_gate)

    [opening] = [piece for piece in relay.writes if piece.startswith(b"MAIL")]
    assert opening.count(b"\r\n") == 3
    assert opening.endswith(b"DATA\r\n")


async def test_message_id_is_the_deliverys_and_stays_on_a_repeat() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        prepared = channel.prepare(wording())

        for no in (1, 2):
            again = envelope(attempt=AttemptRef(mail.DELIVERY, no))
            await channel.send(prepared, again, open_gate)

    ids = {parsed(heard)["Message-ID"] for heard in relay.messages}
    assert ids == {f"<{mail.DELIVERY}@bpbd.example.id>"}


async def test_bounces_are_asked_for_where_we_can_hear_them() -> None:
    async with (
        listening(Relay()) as relay,
        channel_to(relay, bounce_domain="bounce.example.id") as channel,
    ):
        await channel.send(channel.prepare(wording()), envelope(), open_gate)

    [heard] = relay.messages
    attempt = str(AttemptRef(mail.DELIVERY, 1))
    assert heard.mail.startswith(f"MAIL FROM:<b+{attempt}-")
    assert len(heard.mail.partition("<")[2].partition("@")[0]) <= 64
    assert f" RET=HDRS ENVID={attempt}" in heard.mail
    assert heard.rcpt.endswith(" NOTIFY=FAILURE,DELAY ORCPT=rfc822;budi@example.id")


async def test_nothing_is_asked_of_a_relay_that_offers_nothing() -> None:
    async with (
        listening(Relay(extensions=BARE)) as relay,
        channel_to(relay, bounce_domain="bounce.example.id") as channel,
    ):
        await channel.send(channel.prepare(wording()), envelope(), open_gate)

    [heard] = relay.messages
    assert heard.mail.endswith("@bounce.example.id>")
    assert heard.rcpt == "RCPT TO:<budi@example.id>"


@pytest.mark.parametrize(
    ("severity", "offered"),
    [(Severity.MINOR, True), (Severity.SEVERE, False), (Severity.EXTREME, False)],
)
async def test_unsubscribing_is_one_click_away_except_from_warnings_of_life(
    severity: Severity, *, offered: bool
) -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        prepared = channel.prepare(wording(severity=severity))
        await channel.send(prepared, envelope(), open_gate)

    read = parsed(relay.messages[0])
    assert ("List-Unsubscribe" in read) is offered
    assert ("List-Unsubscribe-Post" in read) is offered


async def test_flash_is_important_and_an_update_names_what_it_updates() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        update = wording(lane=Lane.FLASH, type=AlertType.UPDATE, references=(mail.EARLIER,))
        await channel.send(channel.prepare(update), envelope(), open_gate)
        await channel.send(channel.prepare(wording()), envelope(), open_gate)

    flash, routine = map(parsed, relay.messages)
    assert flash["Importance"] == "high"
    assert f"<{mail.EARLIER}@bpbd.example.id>" in flash["References"]
    assert "Importance" not in routine


async def test_exercise_says_so_above_everything_and_at_the_very_end() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        drill = wording(
            mode=Mode.EXERCISE,
            headline="LATIHAN: Banjir rob",
            text="LATIHAN: Air naik.\nIni hanya latihan.",
        )
        await channel.send(channel.prepare(drill), envelope(), open_gate)

    read = parsed(relay.messages[0])
    html = body(read, "html")
    assert "LATIHAN. Ini hanya latihan." in html[: html.index("<h1")]
    assert "Ini hanya latihan." in html[html.index("Pesan ini untuk") :]
    assert body(read, "plain").rstrip().endswith("Ini hanya latihan.")


async def test_nameless_person_without_a_page_gets_no_broken_lines() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        bare = envelope(name="", response_url="")
        await channel.send(channel.prepare(wording()), bare, open_gate)

    read = parsed(relay.messages[0])
    assert read["To"] == "budi@example.id"
    assert "href" not in body(read, "html")
    assert "Pesan ini untuk" not in body(read, "plain")
    assert "List-Unsubscribe" not in read


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Budi@Example.ID", "Budi@example.id"),
        (" budi@example.id ", "budi@example.id"),
        ("budi@bücher.example", "budi@xn--bcher-kva.example"),
        ("josé@example.id", "josé@example.id"),
        ("ops@corp.test", "ops@corp.test"),
    ],
)
async def test_address_has_one_normal_form(written: str, normal: str) -> None:
    async with channel_to(Relay()) as channel:
        assert channel.check(written) == normal
        assert channel.check(normal) == normal


@pytest.mark.parametrize(
    "bad",
    ["", "budi", "budi@", "@example.id", "a b@example.id", "budi@localhost", "a@b\r\nRCPT TO:<c@d>",
     "budi@example.id>", "b\0di@example.id", "\ud800@example.id", "a" * 65 + "@example.id",
     "budi@" + "a." * 140 + "id", '"a b"@example.id', "budi@[127.0.0.1]", "Budi <b@example.id>"],
)  # fmt: skip
async def test_bad_address_is_said_to_be_so_and_never_sent_to(bad: str) -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        with pytest.raises(AddressError):
            channel.check(bad)

        outcome = await channel.send(channel.prepare(wording()), envelope(address=bad), open_gate)

    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.INVALID_ADDRESS
    assert not relay.lines


async def test_address_beyond_ascii_needs_a_relay_that_takes_it() -> None:
    outcomes = []
    for extensions in (EVERYTHING, BARE):
        async with listening(Relay(extensions=extensions)) as relay, channel_to(relay) as channel:
            to_jose = envelope(address="josé@example.id")
            outcomes.append(await channel.send(channel.prepare(wording()), to_jose, open_gate))
            if extensions:
                [heard] = relay.messages
                assert heard.rcpt.startswith("RCPT TO:<josé@example.id>")
                assert " SMTPUTF8" in heard.mail
                assert '"Budi"\r\n <josé@example.id>'.encode() in heard.data

    assert isinstance(outcomes[0], Accepted)
    assert isinstance(outcomes[1], Refused)


async def test_practice_goes_to_the_simulator_without_our_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KENTONGAN_EMAIL_USERNAME", "kentongan")
    monkeypatch.setenv("KENTONGAN_EMAIL_PASSWORD", mail.PASSWORD)
    async with listening(Relay(extensions=("AUTH PLAIN",))) as relay:
        at = SimulatorAt(
            url="", smtp_host="127.0.0.1", smtp_port=relay.port, account_sid="", auth_token=""
        )
        channel = Email.for_simulator(at, mail.deployment())
        outcome = await mail.send_one(channel)
        await channel.close()

    assert isinstance(outcome, Accepted)
    assert "AUTH" not in relay.verbs()


async def test_probe_asks_and_sends_nothing() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        await channel.probe()

    assert relay.verbs()[:2] == ["EHLO", "NOOP"]


@pytest.mark.parametrize("answers", [{"GREETING": ["554 go away"]}, {"NOOP": [Deed.DROP]}])
async def test_probe_says_when_we_could_not_send(answers: dict[str, Sequence[Answer]]) -> None:
    async with listening(Relay(answers=answers)) as relay, channel_to(relay) as channel:
        with pytest.raises(CannotAskError):
            await channel.probe()


async def test_relay_that_answers_a_probe_late_is_not_misheard_afterwards() -> None:
    answers: dict[str, Sequence[Answer]] = {"NOOP": [Deed.STALL]}
    async with listening(Relay(answers=answers)) as relay, channel_to(relay) as channel:
        with pytest.raises(CannotAskError):
            await channel.probe()

        outcome = await mail.send_one(channel)

    assert isinstance(outcome, Accepted)
    assert relay.connections == 2


async def test_closing_says_goodbye_and_may_be_done_twice() -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        await mail.send_one(channel)

        await channel.close()
        await channel.close()

    assert relay.verbs()[-1] == "QUIT"


def test_receipts_are_hoped_for_only_where_bounces_come_to_us() -> None:
    with_domain = Email(mail.settings(25, bounce_domain="b.example.id"), mail.deployment())
    without = Email(mail.settings(25), mail.deployment())

    assert with_domain.receipt_horizon == timedelta(days=5)
    assert without.receipt_horizon is None
