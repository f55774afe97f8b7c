"""Connections to one relay: made by aiosmtplib, kept for the next letter, never more than so many.

Letters that are urgent find a quarter of the connections free of routine ones.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import monotonic
from typing import cast

import aiosmtplib
from pydantic import SecretStr

from channels._shared.smtp import Conversation
from channels._shared.smtp_policy import Reply, Stage, outcome_of, printable
from channels._shared.smtp_slots import Slots
from kentongan.outcome import Deferred, Reason

#: How long a farewell may take when the process ends.
_FAREWELL = 1.0
_NONE_IN_TIME = Deferred(Reason.NO_CONNECTION, "no connection to the relay in time")


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


class Pool:
    """Hands out at most `size` conversations at once; the last one used is used first.

    Whoever waits is served in the order they came, the urgent before all others. A conversation
    ends after `messages` letters, `age` seconds, or `idle` seconds without any: relays close what
    is older or idle, and a letter should not be what finds that out.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Conversation]],
        *,
        size: int,
        messages: int = 100,
        age: float = 300,
        idle: float = 20,
    ) -> None:
        self._connect = connect
        self._messages, self._age, self._idle_for = messages, age, idle
        self._slots = Slots(size)
        self._idle: list[Conversation] = []
        self._in_use: set[Conversation] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    def conversation(
        self, *, urgent: bool, within: float
    ) -> AbstractAsyncContextManager[Conversation]:
        """Lend a conversation, for so many seconds from now, those counted until it is there.

        Raises `NoConnectionError` where none is free in time and no new one can be made.
        """
        return _Loan(self, urgent=urgent, within=within)

    async def take(self, *, urgent: bool, within: float) -> Conversation:
        """Return a conversation once a slot is free; `give_back` is owed for it."""
        ends = asyncio.get_running_loop().time() + within
        has_slot = self._slots.take_now(urgent=urgent)
        talk = self._fresh() if has_slot else None
        if talk is None:
            talk = await self._take_later(urgent=urgent, has_slot=has_slot, ends=ends)
        talk.ends = ends
        self._in_use.add(talk)
        return talk

    def give_back(self, talk: Conversation, *, urgent: bool) -> None:
        """Keep the conversation for the next letter, or end it, and free its slot."""
        self._in_use.discard(talk)
        self._slots.free(urgent=urgent)
        now = monotonic()
        if talk.carried >= self._messages or now - talk.made > self._age or self._is_closed:
            talk.quit()
        elif talk.is_idle:
            talk.idle_since = now
            self._idle.append(talk)
            if self._sweeping is None:
                self._sweep_later()
        else:
            talk.abort()

    def abort(self) -> None:
        """Cut every conversation that carries a letter; what is buffered never leaves."""
        for talk in self._in_use:
            talk.abort()

    async def close(self) -> None:
        """End the idle conversations now, those in use when they come back."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        leaving = self._idle.copy()
        self._idle.clear()
        for talk in leaving:
            talk.quit()
        if leaving:
            await asyncio.wait([talk.lost for talk in leaving], timeout=_FAREWELL)
        for talk in leaving:
            talk.abort()

    async def _take_later(self, *, urgent: bool, has_slot: bool, ends: float) -> Conversation:
        try:
            async with asyncio.timeout_at(ends):
                if not has_slot:
                    await self._slots.take(urgent=urgent)
                    has_slot = True
                return self._fresh() or await self._connect()
        except BaseException as error:
            if has_slot:
                self._slots.free(urgent=urgent)
            if isinstance(error, TimeoutError):
                raise NoConnectionError(_NONE_IN_TIME) from None
            raise

    def _fresh(self) -> Conversation | None:
        """Return the last one used that still serves; those that do not are ended."""
        now = monotonic()
        while self._idle:
            talk = self._idle.pop()
            if self._serves(talk, now):
                return talk
            talk.quit()
        return None

    def _sweep_later(self) -> None:
        # The first of those that are idle has been so for longest.
        left = self._idle[0].idle_since + self._idle_for - monotonic()
        self._sweeping = asyncio.get_running_loop().call_later(left, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        now = monotonic()
        serving = [talk for talk in self._idle if self._serves(talk, now)]
        for talk in set(self._idle).difference(serving):
            talk.quit()
        self._idle = serving
        if serving:
            self._sweep_later()

    def _serves(self, talk: Conversation, now: float) -> bool:
        young = now - talk.made <= self._age and now - talk.idle_since < self._idle_for
        return young and talk.is_idle


class _Loan:
    """A conversation for as long as a block runs."""

    __slots__ = ("_pool", "_talk", "_urgent", "_within")

    def __init__(self, pool: Pool, *, urgent: bool, within: float) -> None:
        self._pool, self._urgent, self._within = pool, urgent, within

    async def __aenter__(self) -> Conversation:
        self._talk = await self._pool.take(urgent=self._urgent, within=self._within)
        return self._talk

    async def __aexit__(self, *_: object) -> None:
        self._pool.give_back(self._talk, urgent=self._urgent)
