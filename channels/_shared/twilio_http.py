"""Carries the Twilio SDK's requests over a connection pool of ours.

The SDK's own asynchronous client ignores its time-out, keeps the last request with its text, and
logs each one. This one asks the gate, never waits for longer than it says, follows nothing, repeats
nothing, and remembers nothing.
"""

import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from typing_extensions import override
from yarl import URL

from channels._shared.gated import GatedConnector

#: What we read of an answer: to one message, and to a question about many (50 of 1600 characters).
MOST_OF_A_RECORD = 64 * 1024
MOST_OF_A_PAGE = 1024 * 1024

_PART = 16 * 1024


class ReplyError(Exception):
    """Twilio answered, and not with 2xx. `words` are its own and may repeat what we said to it."""

    def __init__(
        self, *, status: int, code: int | None, words: str, retry_after: timedelta | None
    ) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code
        self.words = words
        self.retry_after = retry_after


class GarbledReplyError(Exception):
    """A 2xx came, and what it carried cannot have been written by Twilio."""


class PooledTwilioHttp(AsyncHttpClient):
    """The SDK's transport. `base_url` replaces scheme and host; times are in seconds.

    `connect` bounds the wait for a connection (pool, DNS, TCP, TLS), `total` the whole exchange.
    """

    def __init__(self, *, base_url: str, connect: float, total: float, connections: int) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._base_url = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(connect=connect, total=total)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    @override
    async def request(  # type: ignore[override]  # the SDK's asynchronous base does so too
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Return a 2xx that carries a JSON object; raise for everything else."""
        sent = dict(headers or {})
        if auth:
            sent["Authorization"] = aiohttp.encode_basic_auth(*auth)
        async with self._open().request(
            method,
            self._where(uri, params),
            data=urlencode(data, doseq=True).encode() if data else None,
            headers=sent,
            allow_redirects=False,
        ) as reply:
            most = MOST_OF_A_RECORD if method == "POST" else MOST_OF_A_PAGE
            body = await _at_most(reply.content, most)
            understood(reply.status, reply.headers, body)
            return Response(reply.status, body.decode(), reply.headers)

    async def close(self) -> None:
        """Give the connections back. May be called twice."""
        self._is_closed = True
        if self._session:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        # Made at the first request, since aiohttp wants a running loop and a channel is built
        # before there is one.
        if self._is_closed:
            raise RuntimeError("the channel was closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=GatedConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                trust_env=False,
            )
        return self._session

    def _where(self, uri: str, params: Mapping[str, object] | None) -> URL:
        """Return `uri` on our base; a next page's address, which Twilio names, cannot leave it."""
        parts = urlsplit(uri)
        query = urlencode(params) if params else parts.query
        return URL(f"{self._base_url}{parts.path}{'?' if query else ''}{query}", encoded=True)


async def _at_most(stream: aiohttp.StreamReader, most: int) -> bytes:
    body = bytearray()
    async for part in stream.iter_chunked(_PART):
        body += part
        if len(body) > most:
            raise GarbledReplyError(too_long(most))
    return bytes(body)


def too_long(most: int) -> str:
    """Say why an answer was not read to its end."""
    return f"more than {most} bytes"


def understood(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the JSON object of a 2xx; raise `ReplyError` or `GarbledReplyError` for all else."""
    said = _json_object(body)
    if not 200 <= status < 300:
        raise _refusal(status, headers, said or {})
    if said is None:
        raise GarbledReplyError(f"HTTP {status} without a JSON object")
    return said


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _refusal(status: int, headers: Mapping[str, str], said: Mapping[str, Any]) -> ReplyError:
    """Read both of Twilio's error bodies: its older one, and RFC 9457's."""
    code = said.get("code")
    words = said.get("message") or said.get("detail") or said.get("title")
    return ReplyError(
        status=status,
        code=code if isinstance(code, int) else None,
        words=words if isinstance(words, str) else "",
        retry_after=_seconds(headers.get("Retry-After", "")),
    )


def _seconds(text: str) -> timedelta | None:
    if text.isascii() and text.isdigit() and len(text) <= 6:
        return timedelta(seconds=int(text))
    return None
