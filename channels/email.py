"""Mail over SMTP: handed to a relay, and heard of again only when it bounces."""

import asyncio
import ssl
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from typing_extensions import override

from channels._shared.bounces import receipt_of
from channels._shared.smtp import Conversation, GarbledError, LostError
from channels._shared.smtp_address import Addresses, normal_address, xtext
from channels._shared.smtp_frame import framed, one_line, one_word, text_of, warm_up
from channels._shared.smtp_letter import Person, Skeleton, date_header, skeleton
from channels._shared.smtp_pool import Pool, StrandedError
from channels._shared.smtp_relay import NoConnectionError, Relay, open_conversation
from channels._shared.smtp_settings import EmailSettings, Tls
from channels._shared.smtp_transaction import Letter, Patience, Transaction
from channels._shared.smtp_verp import parse_verp, verp_address
from kentongan.alert import Lane
from kentongan.channel import (
    AddressError,
    Callback,
    CannotAskError,
    Channel,
    ForgedCallbackError,
    Gate,
    Limits,
    Pace,
    Repeat,
    Sender,
)
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.ids import AttemptRef
from kentongan.message import Envelope, Preview, Wording
from kentongan.outcome import NotBegun, NotBegunError, Outcome, Reason, Refused
from kentongan.receipt import Report

#: RFC 5321, section 4.5.4.1: a relay tries for four to five days, then it bounces.
BOUNCES_COME_WITHIN = timedelta(days=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedMail:
    """One alert in one locale, with and without links to the person's own page."""

    subject: str
    text: str
    linked: Skeleton
    bare: Skeleton

    def content_for(self, person: Person) -> bytes:
        return (self.linked if person.url else self.bare).filled(person)


class Email(Channel[EmailSettings, PreparedMail]):
    """One SMTP transaction per person, over connections that are kept."""

    name = "email"
    settings_type = EmailSettings
    limits = Limits(text=50_000)
    repeat = Repeat.SAME_ID  # Message-ID is the delivery's, so mailboxes may know a repeat

    def __init__(self, settings: EmailSettings, deployment: Deployment) -> None:
        super().__init__(settings, deployment)
        self._pool = Pool(
            self._connect,
            size=settings.connections,
            messages=settings.messages_per_connection,
        )
        self._patience = Patience(reply=settings.reply_timeout, after_dot=settings.final_timeout)
        self._relay: Relay | None = None
        self._addresses = Addresses()
        self._domain = settings.sender.rpartition("@")[2]

    @override
    @classmethod
    def for_simulator(cls, at: SimulatorAt, deployment: Deployment) -> Self:
        # Said outright, lest the environment's credentials go to a stranger.
        settings = EmailSettings(
            host=at.smtp_host,
            port=at.smtp_port,
            allow_plaintext=True,
            tls=Tls.NONE,
            username=None,
            password=None,
            sender="alerts@kentongan.example",
        )
        return cls(settings, deployment)

    @property
    @override
    def sender(self) -> str:
        return self.settings.sender

    @property
    @override
    def pace(self) -> Pace:
        return Pace(units_per_second=self.settings.units_per_second, burst=self.settings.burst)

    @property
    @override
    def senders(self) -> Sequence[Sender]:
        a_day = self.settings.units_per_day or None
        return (Sender(name=self.sender, pace=self.pace, a_day=a_day),)

    @property
    @override
    def concurrency(self) -> int:
        # One whose answer is due, one that follows it, and one that is at the gate meanwhile.
        return 3 * self.settings.connections

    @property
    @override
    def receipt_horizon(self) -> timedelta | None:
        return BOUNCES_COME_WITHIN if self.settings.bounce_domain else None

    @override
    def check(self, address: str) -> str:
        return normal_address(address)

    @override
    def prepare(self, wording: Wording) -> PreparedMail:
        organisation, sender = self.deployment.organisation, self.settings.sender
        return PreparedMail(
            subject=one_line(wording.headline),
            text=text_of(framed(wording, organisation)),
            linked=skeleton(wording, organisation, sender, linked=True),
            bare=skeleton(wording, organisation, sender, linked=False),
        )

    @override
    def units(self, prepared: PreparedMail) -> int:
        return 1

    @override
    def preview(self, prepared: PreparedMail) -> Preview:
        return Preview(text=prepared.text, subject=prepared.subject)

    @override
    async def send(self, prepared: PreparedMail, envelope: Envelope, gate: Gate) -> Outcome:
        try:
            address = self._addresses.read(envelope.address)
        except AddressError as error:
            return Refused(Reason.INVALID_ADDRESS, str(error))
        content = prepared.content_for(self._person(envelope, address))
        return await self._hand_over(envelope, address, content, gate)

    async def _hand_over(
        self, envelope: Envelope, address: str, content: bytes, gate: Gate
    ) -> Outcome:
        urgent, now = envelope.lane is Lane.FLASH, time.monotonic()
        ends, dies_at = now + self.settings.total_timeout, now + envelope.remaining
        place = self._pool.take_now(urgent=urgent, ends=ends)
        while True:
            try:
                place = place or await self._pool.take(urgent=urgent, ends=ends)
            except NoConnectionError as error:
                return error.outcome
            talk = place.talk
            try:
                await gate(talk.transport)
                if not (address.isascii() or "smtputf8" in talk.extensions):
                    return _NO_SMTPUTF8
                transaction = Transaction(
                    place,
                    self._patience,
                    attempt_no=envelope.attempt.no,
                    not_after=dies_at,
                    ask=gate,
                )
                return await transaction.carry(
                    self._letter(talk.extensions, envelope, address, content)
                )
            except StrandedError:
                self._pool.stranded(place)  # mostly nobody follows anybody now: it happens once
            except NotBegunError as stop:
                return NotBegun(stop.reason)
            finally:
                self._pool.give_back(place)
            place = None

    @override
    def authenticate(self, callback: Callback) -> None:
        if callback.kind != "bounce" or self._bounced(callback) is None:
            raise ForgedCallbackError("the address was not made by us")

    @override
    def receipts(self, callback: Callback) -> Sequence[Report]:
        attempt = self._bounced(callback)
        receipt = receipt_of(callback.body, attempt) if attempt else None
        return (receipt,) if receipt else ()

    @override
    async def probe(self) -> None:
        try:
            await self._probe_until(time.monotonic() + self.settings.total_timeout)
        except NoConnectionError as error:
            raise CannotAskError(error.outcome.detail) from None
        except (LostError, GarbledError, TimeoutError) as error:
            raise CannotAskError(str(error) or "the relay did not answer in time") from None

    async def _probe_until(self, ends: float) -> None:
        while True:
            place = await self._pool.take(urgent=True, ends=ends)
            asked = place.end(b"NOOP\r\n", patience=self.settings.reply_timeout)
            try:
                await asked.answer
            except LostError:
                if place.follows:  # the trouble may be that of the letter before
                    continue
                raise
            finally:
                self._pool.give_back(place)
            return

    @override
    async def warm(self) -> None:
        warm_up()
        await self._known_relay()

    @override
    async def close(self) -> None:
        await self._pool.close()

    def abort(self) -> None:
        """Cut every transaction in mid-flight, at once: our lease has lapsed.

        What still lies in a buffer, above all a final dot, never leaves then.
        """
        self._pool.abort()

    def _person(self, envelope: Envelope, address: str) -> Person:
        return Person(
            address=address,
            name=envelope.name,
            url=one_word(envelope.response_url),
            message_id=f"<{envelope.attempt.delivery_id}@{self._domain}>",
            # Not the alert's own time: programs sort by it, and what was scheduled yesterday would
            # lie hidden under this morning's mail.
            date=date_header(int(time.time())),
        )

    def _letter(
        self, offered: Collection[str], envelope: Envelope, address: str, content: bytes
    ) -> Letter:
        attempt, bounces = envelope.attempt, self.settings.bounce_domain
        sender = self._return_path(attempt, bounces) if bounces else self.sender
        mail, rcpt = f"MAIL FROM:<{sender}>", f"RCPT TO:<{address}>"
        if "size" in offered:
            mail += f" SIZE={len(content)}"
        if not address.isascii():
            mail += " SMTPUTF8 BODY=8BITMIME" if "8bitmime" in offered else " SMTPUTF8"
        if bounces and "dsn" in offered:
            mail += f" RET=HDRS ENVID={attempt}"
            rcpt += " NOTIFY=FAILURE,DELAY"
            rcpt += f" ORCPT=rfc822;{xtext(address)}" if address.isascii() else ""
        return Letter(mail=f"{mail}\r\n".encode(), rcpt=f"{rcpt}\r\n".encode(), content=content)

    def _return_path(self, attempt: AttemptRef, domain: str) -> str:
        return verp_address(self.deployment.keyring, attempt, domain)

    def _bounced(self, callback: Callback) -> AttemptRef | None:
        return parse_verp(self.deployment.keyring, callback.query.get("to", ""))

    async def _connect(self) -> Conversation:
        return await open_conversation(await self._known_relay())

    async def _known_relay(self) -> Relay:
        """Read certificates once, in a thread: it takes tens of milliseconds."""
        if self._relay is None:
            context = await asyncio.to_thread(self.settings.context)
            self._relay = self._relay_with(context)
        return self._relay

    def _relay_with(self, context: ssl.SSLContext | None) -> Relay:
        settings = self.settings
        return Relay(
            host=settings.host,
            port=settings.usual_port,
            helo=self._domain,
            username=settings.username,
            password=settings.password,
            context=context,
            implicit=settings.tls is Tls.IMPLICIT,
            connect=settings.connect_timeout,
            reply=settings.reply_timeout,
        )


_NO_SMTPUTF8 = Refused(Reason.INVALID_ADDRESS, "the relay takes ASCII addresses only")

CHANNEL = Email
