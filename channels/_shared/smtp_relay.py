"""How a connection to a relay begins: TCP, TLS, greeting and login, by aiosmtplib."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from pydantic import SecretStr

from channels._shared.smtp import Conversation
from channels._shared.smtp_policy import Reply, Stage, outcome_of, printable
from kentongan.outcome import Deferred, Reason


class NoConnectionError(Exception):
    """The relay could not be reached, or turned us away before the envelope."""

    def __init__(self, outcome: Deferred) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where our mail goes, and how we introduce ourselves there.

    `context` is None for plain text; `implicit` starts TLS before the greeting, else STARTTLS.
    Seconds: `connect` for TCP, TLS and the greeting together, `reply` for each later answer.
    """

    host: str
    port: int
    helo: str
    username: str | None = None
    password: SecretStr | None = None
    context: ssl.SSLContext | None = None
    implicit: bool = False
    connect: float = 3
    reply: float = 10


async def open_conversation(relay: Relay) -> Conversation:
    """Connect, secure and log in. Raises `NoConnectionError`; nothing has been sent by then."""
    password = relay.password.get_secret_value() if relay.password else None
    smtp = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        username=relay.username,
        password=password,
        local_hostname=relay.helo,
        use_tls=relay.context is not None and relay.implicit,
        start_tls=relay.context is not None and not relay.implicit,
        tls_context=relay.context,
        timeout=relay.reply,
    )
    try:
        await smtp.connect(timeout=relay.connect)
        await _introduce(smtp)
    except (aiosmtplib.SMTPException, OSError) as error:
        smtp.close()
        raise NoConnectionError(_why_not(error)) from None
    except BaseException:
        smtp.close()
        raise
    return Conversation(cast("asyncio.Transport", smtp.transport), smtp.esmtp_extensions)


async def _introduce(smtp: aiosmtplib.SMTP) -> None:
    """Say EHLO unless logging in has done so; a relay of before 1995 gets HELO."""
    if not smtp.is_ehlo_or_helo_needed:
        return
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code == 421:
            raise
        await smtp.helo()


def _why_not(error: Exception) -> Deferred:
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code):
            # Its words are withheld: a relay may echo what it was sent, that is, the password.
            outcome = outcome_of(Reply(code, "the relay refused the login"), Stage.LOGIN, 1)
        case aiosmtplib.SMTPResponseException(code=code, message=message):
            outcome = outcome_of(Reply(code, message), Stage.CONNECT, 1)
        case OSError():  # among them lost connections, time-outs, and certificates that do not hold
            outcome = Deferred(Reason.NO_CONNECTION, printable(str(error)))
        case _:  # no STARTTLS, no AUTH, no method in common: the settings do not fit the relay
            outcome = Deferred(Reason.ACCOUNT, printable(str(error)), counted=False)
    if isinstance(outcome, Deferred):
        return outcome
    return Deferred(Reason.PROVIDER_TROUBLE, "the relay turned the connection away")
