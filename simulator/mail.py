"""A mail server that takes everything and delivers nothing."""

import asyncio
import logging
import re
from collections.abc import Mapping
from functools import partial
from secrets import token_hex
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session
from typing_extensions import override

from simulator.book import Kind, Record
from simulator.bounce import Bouncing
from simulator.carrier import Carrier
from simulator.doors import HOLDS
from simulator.magic import Bounce, Dot, MailFate

HOSTNAME = "mx.simulator.invalid"

#: How long `slow@` takes, and how long after acceptance a bounce is sent (simulated seconds).
SLOW, BOUNCES_AFTER = 3.0, 1.0

_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(<[^>\r\n]+>)")
_DSN = re.compile(r"(?i)\s(RET|ENVID|NOTIFY|ORCPT)=(\S+)")

#: Stands for a recipient who was refused where the client is to be told 354 all the same.
_NOBODY = "nobody"


class MailServer(SMTP):
    """aiosmtpd's, taught the DSN parameters of RFC 3461, which it refuses with 555."""

    dsn: dict[str, str]  # of this message
    fates: list[MailFate]  # of its recipients: drawn once, at RCPT

    @override
    async def smtp_MAIL(self, arg: str | None) -> None:
        self.dsn, bare = _without_dsn(arg)
        self.fates = []
        await super().smtp_MAIL(bare)

    @override
    async def smtp_RCPT(self, arg: str | None) -> None:
        dsn, bare = _without_dsn(arg)
        self.dsn |= dsn
        await super().smtp_RCPT(bare)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.dsn, self.fates = {}, []
        self.event_handler.connections.add(transport)
        super().connection_made(transport)

    @override
    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.connections.discard(self.transport)
        super().connection_lost(error)


class Mail:
    """The answers: aiosmtpd calls `handle_…` by name."""

    def __init__(self, carrier: Carrier, bouncing: Bouncing) -> None:
        self._carrier = carrier
        self._bouncing = bouncing
        self.connections: set[asyncio.BaseTransport | None] = set()

    def server(self) -> MailServer:
        """Return the protocol of one connection."""
        return MailServer(
            self,
            hostname=HOSTNAME,
            ident="simulated ESMTP",
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    def close(self) -> None:
        for transport in list(self.connections):
            _cut(transport)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd calls it by this name
        self,
        _server: MailServer,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        extra = ["250-PIPELINING", "250-DSN", "250-ENHANCEDSTATUSCODES"]
        return [*responses[:-1], *extra, responses[-1]]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd calls it by this name
        self,
        server: MailServer,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        match self._carrier.behaviour.mail:
            case "421":
                return _hang_up_after(server, "421 4.3.2 Service not available")
            case "451":
                return "451 4.3.0 Local error"
            case "close":
                _abort(server)
            case "hang":
                await asyncio.sleep(HOLDS)
                _abort(server)
            case _:
                pass
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it by this name
        self,
        server: MailServer,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        fate = self._carrier.chance.mailbox(address)
        if fate.hangs_up:
            return _hang_up_after(server, fate.reply)
        if fate.reply:
            if fate.goes_on and not envelope.rcpt_tos:
                envelope.rcpt_tos.append(_NOBODY)
            return fate.reply
        envelope.rcpt_tos.append(address)
        server.fates.append(fate)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: MailServer, _session: Session, envelope: Envelope
    ) -> str:
        recipients = [address for address in envelope.rcpt_tos if address != _NOBODY]
        if not recipients:
            return "554 5.5.1 No valid recipients"
        fates = server.fates
        fate = next((fate for fate in fates if fate.dot is not Dot.ACCEPTED), fates[0])
        if fate.dot is Dot.REFUSED:
            return fate.dot_reply
        if fate.dot is Dot.CLOSED:
            _abort(server)
            return "451 4.3.0 Closed"
        for address, own in zip(recipients, fates, strict=True):
            self._accept(server, envelope, address, own)
        if fate.dot is Dot.SLOW:
            await asyncio.sleep(SLOW)
        if fate.dot is Dot.SILENT_BOOKED:
            await asyncio.sleep(HOLDS)
        if fate.dot in {Dot.SILENT_BOOKED, Dot.CLOSED_BOOKED}:
            _abort(server)
        return "250 2.0.0 Accepted"

    def _accept(self, server: MailServer, envelope: Envelope, address: str, fate: MailFate) -> None:
        raw = envelope.original_content or b""
        found = _MESSAGE_ID.search(raw.partition(b"\r\n\r\n")[0])
        record = self._carrier.book.add(
            Record(
                kind=Kind.EMAIL,
                id=found[1].decode("utf-8", "replace") if found else f"<{token_hex(16)}@nowhere>",
                to=address,
                sender=envelope.mail_from or "",
                at=self._carrier.now(),
                params={**_lower(server.dsn), "raw": raw.decode("utf-8", "surrogateescape")},
            )
        )
        record = self._carrier.book.change(record.seq, "accepted", record.at)
        if fate.bounce is not Bounce.NONE:
            send = partial(self._bouncing.send, record, fate.bounce)
            self._carrier.pool.later(BOUNCES_AFTER, send)


def _without_dsn(arg: str | None) -> tuple[dict[str, str], str | None]:
    """Take the DSN parameters out of what follows the address, their case kept."""
    if not arg or ">" not in arg:
        return {}, arg
    address, end, options = arg.rpartition(">")
    found = {name.upper(): value for name, value in _DSN.findall(options)}
    return found, address + end + _DSN.sub("", options)


def _lower(dsn: Mapping[str, str]) -> dict[str, Any]:
    return {name.lower(): value for name, value in dsn.items()}


def _abort(server: MailServer) -> None:
    _cut(server.transport)


def _cut(transport: asyncio.BaseTransport | None) -> None:
    if transport:
        # uvloop's transports can do this too, and inherit from nothing of asyncio's.
        cast("asyncio.Transport", transport).abort()


def _hang_up_after(server: MailServer, reply: str) -> str:
    """Close once the reply is out."""
    transport = server.transport
    if transport:
        asyncio.get_running_loop().call_later(0.05, transport.close)
    return reply


def quiet() -> None:
    """Keep addresses out of the log: aiosmtpd writes each into it."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)
