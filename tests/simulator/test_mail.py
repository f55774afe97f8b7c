"""Mail: what the SMTP server answers, keeps and sends back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.simulator.client import Client, practising
from tests.simulator.ear import eventually


def a_mail(to: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "warn@example.org", to, "Banjir rob 🌊"
    mail["Message-ID"] = "<dlv.1@example.org>"
    mail.set_content("Naik ke lantai dua.\n.\nSegera!\n")
    mail.add_alternative("<p>Naik ke lantai dua.</p>", subtype="html")
    return mail


@asynccontextmanager
async def connected(client: Client) -> AsyncIterator[aiosmtplib.SMTP]:
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=client.sim.smtp_port, timeout=5)
    async with smtp:
        yield smtp


async def send(client: Client, to: str) -> str:
    async with connected(client) as smtp:
        _, said = await smtp.sendmail("b+1@bounce.example.org", [to], a_mail(to).as_bytes())
        return said


async def test_mail_is_kept_whole_with_its_envelope() -> None:
    async with practising() as client, connected(client) as smtp:
        await smtp.sendmail(
            "b+dlv.1.mac@bounce.example.org",
            ["budi@example.org"],
            a_mail("budi@example.org").as_bytes(),
            mail_options=["RET=HDRS", "ENVID=dlv.1"],
            rcpt_options=["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;Budi@example.org"],
        )
        [seen] = await client.seen(to="budi@example.org")

        assert (seen["id"], seen["subject"]) == ("<dlv.1@example.org>", "Banjir rob 🌊")
        assert seen["text"].splitlines() == ["Naik ke lantai dua.", ".", "Segera!"]
        assert seen["html"].strip() == "<p>Naik ke lantai dua.</p>"
        assert seen["from"] == "b+dlv.1.mac@bounce.example.org"
        params = client.sim.book.get(1).params
        assert (params["envid"], params["orcpt"]) == ("dlv.1", "rfc822;Budi@example.org")


async def test_server_says_what_it_can_do() -> None:
    async with practising() as client, connected(client) as smtp:
        await smtp.ehlo()

        for extension in ("8bitmime", "smtputf8", "pipelining", "dsn"):
            assert smtp.supports_extension(extension)


@pytest.mark.parametrize(
    ("local", "code", "enhanced"),
    [
        ("full", 452, "4.2.2"),
        ("full+7", 452, "4.2.2"),
        ("reject", 550, "5.1.1"),
        ("policy", 550, "5.7.1"),
        ("421", 421, "4.3.2"),
    ],
)
async def test_mailbox_refuses_as_the_table_says(local: str, code: int, enhanced: str) -> None:
    async with practising() as client:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
            await send(client, f"{local}@example.org")

        [refused] = refusal.value.recipients
        assert refused.code == code
        assert refused.message.startswith(enhanced)
        assert len(client.sim.book) == 0


async def test_greylisted_mailbox_takes_it_the_second_time() -> None:
    async with practising() as client:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await send(client, "greylist@example.org")
        await send(client, "greylist@example.org")

        assert len(client.sim.book) == 1


@pytest.mark.parametrize(("local", "booked"), [("drop-after-data", 1), ("lose-after-data", 0)])
async def test_connection_lost_after_the_final_dot_says_nothing(local: str, booked: int) -> None:
    async with practising() as client:
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await send(client, f"{local}@example.org")

        assert len(client.sim.book) == booked


async def test_refused_recipient_may_still_be_answered_354() -> None:
    async with practising() as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.sim.smtp_port)
        writer.write(
            b"EHLO here\r\nMAIL FROM:<a@example.org>\r\n"
            b"RCPT TO:<reject-354@example.org>\r\nDATA\r\n.\r\nQUIT\r\n"
        )
        said = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()

        replies = [line[:3] for line in said.splitlines() if line[3:4] == " "]
        assert replies == ["220", "250", "250", "550", "354", "554", "221"]
        assert len(client.sim.book) == 0


class Bounces:
    """Our listener for bounces, as plain as can be."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it by this name
        self.got.append(envelope)
        return "250 OK"


@asynccontextmanager
async def bounces() -> AsyncIterator[tuple[Bounces, int]]:
    heard, loop = Bounces(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(heard, hostname="bounce.example.org", loop=loop), "127.0.0.1", 0
    )
    async with server:
        yield heard, server.sockets[0].getsockname()[1]


async def test_later_bounce_is_a_report_to_the_envelope_sender() -> None:
    async with bounces() as (heard, port), practising(bounce_port=port) as client:
        async with connected(client) as smtp:
            await smtp.sendmail(
                "b+1@bounce.example.org",
                ["bounce-later+3@example.org"],
                a_mail("bounce-later+3@example.org").as_bytes(),
                mail_options=["ENVID=dlv.1"],
            )
        await eventually(lambda: heard.got)

        [envelope] = heard.got
        assert envelope.mail_from in ("", "<>")
        assert envelope.rcpt_tos == ["b+1@bounce.example.org"]
        report = message_from_bytes(envelope.original_content or b"", policy=default)
        assert report.get_content_type() == "multipart/report"
        assert report.get_param("report-type") == "delivery-status"
        [_, status, headers] = report.iter_parts()
        assert status.get_content_type() == "message/delivery-status"
        [about_message, about_recipient] = status.iter_parts()
        assert about_message["Original-Envelope-Id"] == "dlv.1"
        assert about_recipient["Final-Recipient"] == "rfc822; bounce-later+3@example.org"
        assert (about_recipient["Action"], about_recipient["Status"]) == ("failed", "5.1.1")
        assert "dlv.1@example.org" in headers.get_content()


async def test_automatic_reply_is_no_report() -> None:
    async with bounces() as (heard, port), practising(bounce_port=port) as client:
        await send(client, "vacation@example.org")
        await eventually(lambda: heard.got)

        reply = message_from_bytes(heard.got[0].original_content or b"", policy=default)
        assert reply["Auto-Submitted"] == "auto-replied"
        assert reply.get_content_type() == "text/plain"


async def test_whole_server_can_be_switched_off_and_on() -> None:
    async with practising() as client:
        await client.switch(mail="451")
        with pytest.raises(aiosmtplib.SMTPSenderRefused):
            await send(client, "budi@example.org")
        await client.switch(mail=None)
        await send(client, "budi@example.org")

        assert len(client.sim.book) == 1
