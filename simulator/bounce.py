"""Bounces as mail servers send them: RFC 3464 in a multipart/report (RFC 6522)."""

import asyncio
import logging
import smtplib
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from functools import partial

from simulator.book import Record
from simulator.carrier import Carrier
from simulator.magic import Bounce
from simulator.outside import is_loopback

log = logging.getLogger(__name__)

HOSTNAME = "mx.simulator.invalid"

#: What the bounce says: action, status, diagnostic.
SAYS = {
    Bounce.HARD: ("failed", "5.1.1", "550 5.1.1 No such user"),
    Bounce.SOFT: ("failed", "5.2.2", "552 5.2.2 Mailbox full"),
    Bounce.DELAYED: ("delayed", "4.4.1", "451 4.4.1 No answer from host"),
}


class Bouncing:
    """Sends them to our own listener for bounces, and to loopback alone."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    async def send(self, record: Record, bounce: Bounce) -> None:
        """Answer an accepted e-mail with a bounce, and write down whether that was taken."""
        settings = self._carrier.settings
        if not settings.bounce_port or not self._carrier.behaviour.callbacks:
            return
        if not is_loopback(settings.bounce_host):
            log.warning("bounces go to loopback alone", extra={"host": settings.bounce_host})
            return
        original = message_from_bytes(record.params["raw"].encode("utf-8", "surrogateescape"))
        mail = (
            vacation(record, original)
            if bounce is Bounce.VACATION
            else report(record, original, bounce)
        )
        try:
            await asyncio.to_thread(self._submit, record.sender, mail.as_bytes(policy=SMTP))
        except (OSError, smtplib.SMTPException) as error:
            log.warning("a bounce was not taken", extra={"error": type(error).__name__})
            return
        self._carrier.book.change(record.seq, f"bounced_{bounce}", self._carrier.now())

    def _submit(self, to: str, raw: bytes) -> None:
        """By the standard library, in a thread: bounces are few."""
        settings = self._carrier.settings
        connect = partial(smtplib.SMTP, local_hostname=HOSTNAME, timeout=10)
        with connect(settings.bounce_host, settings.bounce_port or 0) as smtp:
            smtp.sendmail("", [to], raw)


def report(record: Record, original: Message, bounce: Bounce) -> EmailMessage:
    """Return the delivery status notification for a booked e-mail."""
    action, status, diagnostic = SAYS[bounce]
    mail = _reply(record, "Undelivered Mail Returned to Sender")
    mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(f"Your message to {record.to} could not be delivered: {diagnostic}\n")
    mail.make_mixed()
    about_message = Message()
    about_message["Reporting-MTA"] = f"dns; {HOSTNAME}"
    if envid := record.params.get("envid"):
        about_message["Original-Envelope-Id"] = envid
    about_message["Arrival-Date"] = formatdate(record.at)
    about_recipient = Message()
    if orcpt := record.params.get("orcpt"):
        about_recipient["Original-Recipient"] = orcpt
    about_recipient["Final-Recipient"] = f"rfc822; {record.to}"
    about_recipient["Action"] = action
    about_recipient["Status"] = status
    about_recipient["Diagnostic-Code"] = f"smtp; {diagnostic}"
    status_part = Message()
    status_part["Content-Type"] = "message/delivery-status"
    status_part.set_payload([about_message, about_recipient])
    headers = Message()
    headers["Content-Type"] = "text/rfc822-headers"
    headers.set_payload("".join(f"{name}: {value}\n" for name, value in original.items()))
    for part in (status_part, headers):
        # typeshed wants EmailMessage, which would add headers of its own to a report's parts
        mail.attach(part)  # type: ignore[arg-type]
    mail.set_type("multipart/report")
    mail.set_param("report-type", "delivery-status")
    return mail


def vacation(record: Record, original: Message) -> EmailMessage:
    """Return an automatic reply (RFC 3834), which says nothing about delivery."""
    mail = _reply(record, "Out of office")
    mail["Auto-Submitted"] = "auto-replied"
    if message_id := original["Message-ID"]:
        mail["In-Reply-To"] = str(message_id)
    mail.set_content("I am away until Monday.\n")
    return mail


def _reply(record: Record, subject: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Mail Delivery System", "mailer-daemon", HOSTNAME)
    mail["To"] = record.sender
    mail["Subject"] = subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=HOSTNAME)
    return mail
