"""One POST to somebody's server: gated, bounded in time and size, and never redirected."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp import TCPConnector
from aiohttp.http import HttpProcessingError

from channels._shared.connections import Connections
from channels._shared.guard import BLOCKED, BlockedHostError
from channels._shared.time_limit import TimeLimit
from channels._shared.wire import Exchange, Reply, Target, written
from kentongan.channel import Gate
from kentongan.outcome import NotBegun, NotBegunError, Reason

#: Pool, name, TCP and TLS together, in seconds.
CONNECT_WITHIN = 3.0
_LONGEST_WISH = timedelta(days=1)
_BROKEN = (aiohttp.ClientError, HttpProcessingError, aiohttp.EofStream, TimeoutError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """No answer. `begun`: the first byte may have left. The words name no address."""

    reason: Reason
    words: str
    begun: bool


class HttpClient:
    """Posts for one channel, over a connection pool that is opened by the first request.

    A request takes no longer than `within` seconds, of which `connect` until a connection is held.
    """

    def __init__(
        self,
        connector: Callable[[], TCPConnector],
        *,
        within: float,
        connect: float = CONNECT_WITHIN,
    ) -> None:
        self._connections = Connections(connector, within=connect)
        self._connect_within = connect
        self._limit = TimeLimit(within)

    async def post(
        self, target: Target, *, body: bytes, headers: Mapping[str, str], gate: Gate
    ) -> Reply | Trouble | NotBegun:
        """Post once, asking `gate` once the connection is held."""
        request = written(target, headers, body)
        connections, server = self._connections, target.server
        exchange: Exchange | None = None
        try:
            with self._limit.begin():
                held = connections.at_hand(server) or await connections.connect(server)
                exchange = Exchange(held)
                await gate(held.transport)
                reply = await exchange.reply(request)
            if reply.whole:
                connections.give_back(server, held)
                exchange = None
        except NotBegunError as stopped:
            return NotBegun(stopped.reason)
        except _BROKEN as error:
            so_far = exchange and exchange.cut_off()
            return so_far or self._trouble(error, begun=exchange is not None and exchange.begun)
        else:
            return reply
        finally:
            if exchange is not None:
                exchange.end()

    async def close(self) -> None:
        """Close the connections. May be called twice."""
        self._limit.close()
        await self._connections.close()

    def _trouble(self, error: Exception, *, begun: bool) -> Trouble:
        reason, words = _after(error) if begun else self._before(error)
        return Trouble(reason=reason, words=words, begun=begun)

    def _before(self, error: Exception) -> tuple[Reason, str]:
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
                return Reason.NO_CONNECTION, f"no connection within {self._connect_within:g} s"
            case _:
                return Reason.NO_CONNECTION, "no connection"


def _after(error: Exception) -> tuple[Reason, str]:
    match error:
        case HttpProcessingError() | aiohttp.ClientPayloadError():
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
