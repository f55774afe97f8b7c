"""No text, name or address becomes a header, a command or a second message."""

import email
from email.policy import default

import pytest

from channels.email import Email
from kentongan.message import Option
from kentongan.outcome import Accepted, Refused
from tests.fakes import mail
from tests.fakes.mail import channel_to, envelope, open_gate, wording
from tests.fakes.smtp import BARE, EVERYTHING, Relay, listening

LINE_ENDS = ["\r\n", "\n", "\r", "\n\r", "\r\r\n", "\0\r\n", "\x0b", "\x0c", "\x85", "\u2028"]
TAILS = ["Bcc: evil@example.org", " Bcc: evil@example.org", "\r\nX: y\r\nBcc: evil@example.org",
         "\tRCPT TO:<evil@example.org>", ".\r\nMAIL FROM:<evil@example.org>"]  # fmt: skip
PAYLOADS = [f"Budi{end}{tail}" for end in LINE_ENDS for tail in TAILS]

#: Ways in which servers have ended mail data that did not end there (SMTP smuggling).
SMUGGLED = [
            "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\r\n\0.\r\n",
            "\r\n.\r\n", "\n\n.\r\n", "\x85.\x85",
]  # fmt: skip

ALLOWED_HEADERS = {
    "date", "to", "message-id", "list-unsubscribe", "list-unsubscribe-post", "from", "subject",
    "references", "x-kentongan-alert", "auto-submitted", "x-auto-response-suppress",
    "mime-version", "content-type",
}  # fmt: skip


def channel_of(organisation: str, port: int) -> Email:
    return Email(mail.settings(port), mail.deployment(organisation))


def test_there_are_fifty_payloads() -> None:
    assert len(set(PAYLOADS)) == 50


@pytest.mark.parametrize("field", ["headline", "text", "locale", "label", "name", "organisation"])
async def test_no_field_becomes_a_header_or_a_command(field: str) -> None:
    async with listening(Relay()) as relay:
        for payload in PAYLOADS:
            channel = channel_of(payload if field == "organisation" else "BPBD", relay.port)
            words = wording(**_with(field, payload))
            person = envelope(name=payload) if field == "name" else envelope()

            outcome = await channel.send(channel.prepare(words), person, open_gate)

            assert isinstance(outcome, Accepted)
            await channel.close()

    assert len(relay.messages) == len(PAYLOADS)
    assert set(relay.verbs()) == {"EHLO", "MAIL", "RCPT", "DATA", "QUIT"}
    for heard in relay.messages:
        read = email.message_from_bytes(heard.content, policy=default)
        names = [name.lower() for name in read]
        assert set(names) <= ALLOWED_HEADERS
        assert len(names) == len(set(names))
        assert [each.addr_spec for each in read["To"].addresses] == ["budi@example.id"]


def _with(field: str, payload: str) -> dict[str, object]:
    match field:
        case "headline" | "text" | "locale":
            return {field: payload}
        case "label":
            return {"options": (Option(key="1", label={"id": payload}),)}
        case _:
            return {}


@pytest.mark.parametrize("address", [f"{payload}@example.id" for payload in PAYLOADS])
async def test_no_address_becomes_a_command(address: str) -> None:
    async with listening(Relay()) as relay, channel_to(relay) as channel:
        words = channel.prepare(wording())

        outcome = await channel.send(words, envelope(address=address), open_gate)

    assert isinstance(outcome, Refused)
    assert relay.lines == []


@pytest.mark.parametrize("extensions", [EVERYTHING, BARE], ids=["pipelining", "step by step"])
async def test_smuggled_ends_arrive_as_one_message(extensions: tuple[str, ...]) -> None:
    evil = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.org>\r\nDATA\r\nevil"
    text = "".join(f"air{end}{evil}" for end in SMUGGLED)
    async with listening(Relay(extensions=extensions)) as relay, channel_to(relay) as channel:
        outcome = await channel.send(channel.prepare(wording(text=text)), envelope(), open_gate)

    assert isinstance(outcome, Accepted)
    [heard] = relay.messages
    assert relay.verbs().count("MAIL") == 1
    assert b"\n" not in heard.data.replace(b"\r\n", b"")
    assert b"\r" not in heard.data.replace(b"\r\n", b"")
    assert heard.data.count(b"evil@example.org") == 2 * len(SMUGGLED)
