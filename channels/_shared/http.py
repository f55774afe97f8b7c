"""One POST to somebody's server: gated, bounded in time and size, and never redirected."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from channels._shared.gated import PASSAGE, Passage
from channels._shared.guard import BLOCKED, BlockedHostError
from kentongan.channel import Gate
from kentongan.outcome import NotBegun, NotBegunError, Reason

#: How much of an answer is read; receivers have nothing longer to say.
MOST_REPLY = 64 * 1024
#: Pool, name, TCP and TLS together, in seconds.
CONNECT_WITHIN = 3.0
_LONGEST_WISH = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered. `whole` is false where the body was cut off, by us or by it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """No answer. `begun`: the first byte may have left. The words name no address."""

    reason: Reason
    words: str
    begun: bool


class HttpClient:
    """A session for one channel, opened by the first request, with its own connection pool."""

    def __init__(self, connector: Callable[[], TCPConnector], *, within: float) -> None:
        self._connector = connector
        self._within = within
        self._session: ClientSession | None = None

    async def post(
        self, url: URL, *, body: bytes, headers: Mapping[str, str], gate: Gate
    ) -> Reply | Trouble | NotBegun:
        """Post once, asking `gate` once the connection is held. Within `within` seconds."""
        passage = Passage(gate)
        token = PASSAGE.set(passage)
        try:
            return await self._post(url, body, headers)
        except NotBegunError as stopped:
            return NotBegun(stopped.reason)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _trouble(error, begun=passage.begun)
        finally:
            PASSAGE.reset(token)

    async def close(self) -> None:
        """Close the session. May be called twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, url: URL, body: bytes, headers: Mapping[str, str]) -> Reply:
        session = self._opened()
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            content, whole = await _read(response)
            return Reply(
                status=response.status, headers=response.headers, body=content, whole=whole
            )

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=self._connector(),
                timeout=ClientTimeout(
                    total=self._within, connect=CONNECT_WITHIN, sock_connect=CONNECT_WITHIN
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Packed answers would have to be unpacked before they can be measured.
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                trust_env=False,  # a proxy would look the name up behind the guard's back
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Read what is no more than `MOST_REPLY`; the status has been said, come what may."""
    try:
        start = await response.content.readexactly(MOST_REPLY + 1)
    except asyncio.IncompleteReadError as end:
        return end.partial, True
    except (aiohttp.ClientError, TimeoutError, OSError):
        start = b""
    response.close()
    return start[:MOST_REPLY], False


def _trouble(error: Exception, *, begun: bool) -> Trouble:
    reason, words = _after(error) if begun else _before(error)
    return Trouble(reason=reason, words=words, begun=begun)


def _before(error: Exception) -> tuple[Reason, str]:
    match error:
        case aiohttp.ClientConnectorError(os_error=BlockedHostError()):
            return Reason.BLOCKED_HOST, BLOCKED
        case aiohttp.InvalidURL():
            return Reason.INVALID_ADDRESS, "the URL cannot be called"
        case aiohttp.ClientConnectorDNSError():
            return Reason.NO_CONNECTION, "the name has no address"
        case aiohttp.ClientSSLError():
            return Reason.NO_CONNECTION, "TLS failed"
        case TimeoutError():
            return Reason.NO_CONNECTION, f"no connection within {CONNECT_WITHIN:g} s"
        case _:
            return Reason.NO_CONNECTION, "no connection"


def _after(error: Exception) -> tuple[Reason, str]:
    match error:
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return Reason.GARBLED_REPLY, "the answer was no HTTP"
        case TimeoutError():
            return Reason.NO_REPLY, "no answer in time"
        case _:
            return Reason.NO_REPLY, "the connection broke before an answer"


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds or a date (RFC 9110, 10.2.3); None for anything else.

    Never negative, and never more than a day.
    """
    wish = _seconds(value or "")
    if wish is None:
        wish = _until(value or "", now)
    return None if wish is None else min(max(wish, timedelta()), _LONGEST_WISH)


def _seconds(value: str) -> timedelta | None:
    try:
        count = float(value)
    except ValueError:
        return None
    if not math.isfinite(count):
        return None
    return timedelta(seconds=min(max(count, 0), _LONGEST_WISH.total_seconds()))


def _until(value: str, now: datetime) -> timedelta | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
