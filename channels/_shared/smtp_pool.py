"""Connections to one relay: made by aiosmtplib, kept for the next letter, never more than so many.

Letters that are urgent find a quarter of the connections free of routine ones.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from pydantic import SecretStr

from channels._shared.smtp import Conversation
from channels._shared.smtp_policy import Reply, Stage, outcome_of, printable
from kentongan.outcome import Deferred, Reason

#: How long a farewell may take when the process ends.
_FAREWELL = 1.0


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

    A conversation ends after `messages` letters, `age` seconds, or `idle` seconds without any:
    relays close what is older or idle, and a letter should not be what finds that out.
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
        self._slots = asyncio.Semaphore(size)
        self._routine_slots = asyncio.Semaphore(max(1, size - size // 4))
        self._idle: list[_Kept] = []
        self._in_use: set[Conversation] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    @asynccontextmanager
    async def conversation(self, *, urgent: bool) -> AsyncIterator[Conversation]:
        """Lend a conversation. Raises `NoConnectionError` where a new one cannot be made."""
        async with AsyncExitStack() as slots:
            if not urgent:
                await slots.enter_async_context(self._routine_slots)
            await slots.enter_async_context(self._slots)
            kept = self._take() or _Kept(await self._connect())
            self._in_use.add(kept.talk)
            try:
                yield kept.talk
            finally:
                self._in_use.discard(kept.talk)
                self._give_back(kept)

    def abort(self) -> None:
        """Cut every conversation that carries a letter; what is buffered never leaves."""
        for talk in self._in_use:
            talk.abort()

    async def close(self) -> None:
        """End the idle conversations now, those in use when they come back."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        leaving = [kept.talk for kept in self._idle]
        self._idle.clear()
        for talk in leaving:
            talk.quit()
        if leaving:
            await asyncio.wait([talk.lost for talk in leaving], timeout=_FAREWELL)
        for talk in leaving:
            talk.abort()

    def _take(self) -> "_Kept | None":
        self._drop_stale()
        return self._idle.pop() if self._idle else None

    def _give_back(self, kept: "_Kept") -> None:
        now = _now()
        if kept.talk.carried >= self._messages or now - kept.made > self._age or self._is_closed:
            kept.talk.quit()
        elif kept.talk.is_idle:
            kept.idle_since = now
            self._idle.append(kept)
            self._sweep_later()
        else:
            kept.talk.abort()

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            loop = asyncio.get_running_loop()
            self._sweeping = loop.call_later(self._idle_for + 1, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        self._drop_stale()
        if self._idle:
            self._sweep_later()

    def _drop_stale(self) -> None:
        now = _now()
        fresh = [kept for kept in self._idle if self._is_fresh(kept, now)]
        for kept in self._idle:
            if kept not in fresh:
                kept.talk.quit()
        self._idle = fresh

    def _is_fresh(self, kept: "_Kept", now: float) -> bool:
        young = now - kept.made <= self._age and now - kept.idle_since <= self._idle_for
        return young and kept.talk.is_idle


class _Kept:
    """A conversation with its times, in seconds of the loop's clock."""

    __slots__ = ("idle_since", "made", "talk")

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk
        self.made = self.idle_since = _now()


def _now() -> float:
    return asyncio.get_running_loop().time()
