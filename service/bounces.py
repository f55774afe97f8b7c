"""The mail server that bounces come to: it takes what is addressed to a return path of ours."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session
from typing_extensions import override

from channels import AnyChannel
from kentongan.channel import Callback, ForgedCallbackError
from ledger.engine import LedgerAwayError
from service.callbacks import take
from service.wiring import House

log = logging.getLogger(__name__)

#: A bounce brings its original along at worst.
LARGEST = 1024 * 1024
#: RFC 5321, section 4.5.3.2, allows five minutes; a relay that needs one is ill.
IDLE = 60.0
#: Connections at once; a storm of bounces queues at its relays, which is what relays are for.
MOST_CONNECTIONS = 50
#: A bounce is for one letter. A few more do no harm.
MOST_RECIPIENTS = 10

_AWAY = "452 4.3.0 Not now, try again later"
_NOBODY = "550 5.1.1 No such mailbox"

CHANNEL = "email"


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[tuple[str, int] | None]:
    """Take bounces while inside; yield where, None where no bounce domain is set."""
    channel = house.channels.get(CHANNEL)
    domain: str | None = getattr(channel.settings, "bounce_domain", None) if channel else None
    if channel is None or not domain:
        yield None
        return
    # aiosmtpd writes every address into its log.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    host, _, port = channel.settings.bounce_listen.rpartition(":")
    desk = _Desk(house, channel, domain)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(_Door, desk, domain), host.strip("[]"), int(port))
    try:
        where = server.sockets[0].getsockname()
        log.info("bounces are taken", extra={"port": where[1]})
        yield where[0], where[1]
    finally:
        server.close()
        desk.close()
        await server.wait_closed()


class _Desk:
    """The answers: aiosmtpd calls `handle_…` by name."""

    def __init__(self, house: House, channel: AnyChannel, domain: str) -> None:
        self._house, self._channel, self._domain = house, channel, domain
        self.connections: set[asyncio.Transport] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it by this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not self._is_ours(address):
            return _NOBODY
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    def _is_ours(self, address: str) -> bool:
        if address.rpartition("@")[2].lower() != self._domain:
            return False
        try:
            self._channel.authenticate(_bounce(address))
        except ForgedCallbackError:
            self._house.metrics.inbound.labels(CHANNEL, "forged").inc()
            return False
        return True

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it by this name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the bounce before its relay may forget it."""
        raw = envelope.original_content or b""
        try:
            for address in envelope.rcpt_tos:
                await take(self._house, CHANNEL, _bounce(address, raw))
        except LedgerAwayError as error:
            log.warning("ledger is away", extra={"route": "bounces", "cause": str(error)})
            return _AWAY
        except ForgedCallbackError:
            return _NOBODY
        return "250 2.0.0 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Say nothing of a fault of ours to a stranger, and have the relay come again."""
        log.error("bounce listener failed", exc_info=error)
        return "451 4.3.0 Local error"

    def close(self) -> None:
        """Cut what still talks: an unanswered bounce comes again."""
        for transport in list(self.connections):
            transport.abort()


def _bounce(address: str, raw: bytes = b"") -> Callback:
    return Callback(kind="bounce", url="", query={"to": address}, body=raw)


class _Door(SMTP):
    """One connection, if there is room for it."""

    # Some write longer lines than RFC 5321's 1,000 octets; a bounce is worth more than a rule.
    line_length_limit = 64 * 1024

    def __init__(self, desk: _Desk, domain: str) -> None:
        super().__init__(
            desk,
            data_size_limit=LARGEST,
            hostname=domain,
            ident="ESMTP",
            timeout=IDLE,
            loop=asyncio.get_running_loop(),
        )
        self._desk = desk

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        opened = cast("asyncio.Transport", transport)  # uvloop's are, though not by inheritance
        self._desk.connections.add(opened)
        super().connection_made(opened)
        if len(self._desk.connections) > MOST_CONNECTIONS:
            opened.write(b"421 4.3.2 Too many connections\r\n")
            opened.close()

    @override
    def connection_lost(self, error: Exception | None) -> None:
        self._desk.connections.discard(cast("asyncio.Transport", self.transport))
        super().connection_lost(error)
