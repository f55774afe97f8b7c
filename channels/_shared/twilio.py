"""One Twilio account: what is sent through it, and what it is asked about."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from re import Pattern
from typing import Any, TypeVar

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from channels._shared.gated import PASSAGE, Passage
from channels._shared.twilio_http import GarbledReplyError, PooledTwilioHttp, ReplyError
from channels._shared.twilio_policy import outcome_of
from channels._shared.twilio_settings import TwilioSettings
from kentongan.channel import Asked, CannotAskError, Gate
from kentongan.outcome import Accepted, Deferred, NotBegun, NotBegunError, Outcome, Reason, Unknown

T = TypeVar("T")

#: A list of what an address got is read this far, and no further back than this before the attempt
#: was opened: their clock and ours differ, and theirs has no fractions.
MOST_LISTED, PER_PAGE = 200, 50
CLOCKS_DIFFER = timedelta(seconds=5)

#: What the SDK raises over a JSON object that is not what it expects.
_UNREADABLE = (
    TwilioException,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_CUT_OFF = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One message handed to Twilio: the SDK's call, the SID it must give, what stays unsaid."""

    create: Callable[[], Awaitable[Any]]
    sid: Pattern[str]
    texts: Sequence[str]


class TwilioAccount:
    """A client with a pool of its own. Needs a running loop from the first request on."""

    def __init__(self, settings: TwilioSettings) -> None:
        self._settings = settings
        self._http = PooledTwilioHttp(
            base_url=settings.base_url,
            connect=settings.connect_timeout,
            total=settings.timeout,
            connections=settings.concurrency,
        )
        self.client = self._client(*settings.credentials())

    async def send(self, offer: Offer, gate: Gate) -> Outcome:
        """Hand one message over and say what came of it."""
        passage = Passage(gate)
        entered = PASSAGE.set(passage)
        try:
            made = await offer.create()
        except NotBegunError as stopped:
            return NotBegun(stopped.reason)
        except ReplyError as reply:
            return outcome_of(reply, (*self._settings.secrets(), *offer.texts))
        except GarbledReplyError as reply:
            return Unknown(Reason.GARBLED_REPLY, str(reply))
        except _CUT_OFF as error:
            return _cut_off(error, begun=passage.begun)
        except _UNREADABLE as error:
            if not passage.begun:  # our own mistake, or the gate's
                raise
            return Unknown(Reason.GARBLED_REPLY, type(error).__name__)
        finally:
            PASSAGE.reset(entered)
        return accepted(made.sid, offer.sid)

    async def ask(self, question: Awaitable[T]) -> T:
        """Return what Twilio answers. Raises `CannotAskError`."""
        answer = await self.ask_of(question)
        if answer is None:
            raise CannotAskError("HTTP 404")
        return answer

    async def ask_of(self, question: Awaitable[T]) -> T | None:
        """Return what Twilio answers about one record, None if it knows of none.

        Raises `CannotAskError`.
        """
        try:
            return await question
        except ReplyError as reply:
            if reply.status == 404:
                return None
            raise CannotAskError(f"HTTP {reply.status}, code {reply.code}") from None
        except (GarbledReplyError, *_CUT_OFF, *_UNREADABLE) as error:
            raise CannotAskError(type(error).__name__) from None

    async def cancel(self, record: Any) -> bool:
        """Return whether a record says afterwards that it was canceled."""
        try:
            updated = await self.ask_of(record.update_async(status="canceled"))
        except CannotAskError:
            return False
        return updated is not None and updated.status == "canceled"

    async def probe(self) -> None:
        """Ask for the account, and with the API key for one record, since a key sees no account."""
        user, password = self._settings.account_sid, self._settings.auth_token[0].get_secret_value()
        owner = self._client(user, password)
        account = await self.ask(owner.api.accounts(user).fetch_async())
        if (status := str(account.status)) != "active":
            raise CannotAskError(f"the account is {status}")
        if self._settings.api_key:
            await self.ask(self.client.messages.list_async(limit=1, page_size=1))

    async def warm(self) -> None:
        """Let the SDK import what it imports at first use: half a second of a blocked loop."""
        await asyncio.to_thread(lambda: (self.client.messages, self.client.calls))

    async def close(self) -> None:
        """Give the connections back. May be called twice."""
        await self._http.close()

    def _client(self, user: str, password: str) -> Client:
        return Client(user, password, self._settings.account_sid, http_client=self._http)


def since(records: Sequence[Any], asked: Asked) -> list[Any]:
    """Return those made since the attempt was opened.

    Raises `CannotAskError` where the list broke off before it reached so far back.
    """
    floor = asked.opened_at - CLOCKS_DIFFER
    recent = [record for record in records if _made_at(record) >= floor]
    if len(records) >= MOST_LISTED and len(recent) == len(records):
        raise CannotAskError(f"there are more than {MOST_LISTED} newer records")
    return recent


def _made_at(record: Any) -> datetime:
    made = record.date_created
    return made if isinstance(made, datetime) else datetime.max.replace(tzinfo=UTC)


def accepted(sid: object, form: Pattern[str]) -> Outcome:
    """Return the outcome of a record that was made under `sid`, if that is one."""
    if isinstance(sid, str) and form.fullmatch(sid):
        return Accepted(sid)
    return Unknown(Reason.GARBLED_REPLY, "it gave no SID")


def _cut_off(error: Exception, *, begun: bool) -> Outcome:
    # No str(error): some of aiohttp's repeat what was sent.
    what = type(error).__name__
    if not begun:
        return Deferred(Reason.NO_CONNECTION, what)
    if isinstance(error, aiohttp.ClientResponseError):
        return Unknown(Reason.GARBLED_REPLY, what)
    return Unknown(Reason.NO_REPLY, what)
