"""Calls the service back: signed, retried as its URL asks, and to loopback alone."""

import asyncio
import ipaddress
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urldefrag, urlencode
from uuid import uuid4

import aiohttp
from typing_extensions import override
from yarl import URL

from simulator.overrides import Overrides
from simulator.pool import Pool
from simulator.signature import sign

log = logging.getLogger(__name__)

#: What we read of an answer; Twilio refuses more TwiML than this (11750).
MOST = 64 * 1024

Form = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One webhook on its way; its retries share the token and the deadline."""

    url: str
    form: Form
    method: str = "POST"
    overrides: Overrides = field(default_factory=Overrides)
    token: str = field(default_factory=lambda: str(uuid4()))
    tries: int = 0
    begun: float = 0.0  # by the loop's clock

    @classmethod
    def to(cls, url: str, form: Iterable[tuple[str, str]], method: str = "POST") -> Self:
        bare, fragment = urldefrag(url)
        fields = tuple(form)
        if method == "GET":
            bare += ("&" if "?" in bare else "?") + urlencode(fields)
            fields = ()
        return cls(
            url=bare,
            form=fields,
            method=method,
            overrides=Overrides.parse(fragment),
            begun=asyncio.get_running_loop().time(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer; status 0 if there was none."""

    status: int = 0
    content_type: str = ""
    body: str = ""


class Outside:
    """One client for all callbacks."""

    def __init__(self, auth_token: str, pool: Pool) -> None:
        self._token = auth_token
        self._pool = pool
        self._refused: set[str] = set()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=256, resolver=_LoopbackResolver())
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "TwilioProxy/1.1", "Accept": "*/*"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session:
            await self._session.close()

    def tell(self, posting: Posting) -> None:
        """Send it by the pool, whose hands do not wait between the tries."""
        self._pool.later(0, partial(self._tell, posting))

    async def ask(self, posting: Posting) -> Heard:
        """Send it, try again as its URL asks, and return the last answer."""
        while True:
            heard, again = await self._once(posting)
            if again is None:
                return heard
            await self._pool.sleep(again)
            posting = replace(posting, tries=posting.tries + 1)

    async def _tell(self, posting: Posting) -> None:
        _, again = await self._once(posting)
        if again is not None:
            later = replace(posting, tries=posting.tries + 1)
            self._pool.later(again, partial(self._tell, later))

    async def _once(self, posting: Posting) -> tuple[Heard, float | None]:
        """Try once; return the answer, and after how long to try again if at all."""
        if not self._may_reach(posting.url):
            return Heard(), None
        rules = posting.overrides
        left = posting.begun + rules.total - asyncio.get_running_loop().time()
        if left <= 0:
            return Heard(), None
        try:
            heard = await self._request(posting, left)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            heard, again = Heard(), "ct" in rules.on
        except (aiohttp.ClientError, TimeoutError, OSError):
            heard, again = Heard(), "rt" in rules.on
        else:
            again = rules.again_after(heard.status)
        if not again or posting.tries >= rules.retries:
            _complain(posting, heard)
            return heard, None
        return heard, 0.5 * 2**posting.tries

    async def _request(self, posting: Posting, left: float) -> Heard:
        assert self._session is not None
        rules = posting.overrides
        timeout = aiohttp.ClientTimeout(
            total=left, sock_connect=rules.connect, sock_read=rules.read
        )
        async with self._session.request(
            posting.method,
            URL(posting.url, encoded=True),
            data=urlencode(posting.form) if posting.method == "POST" else None,
            headers={
                "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
                "X-Twilio-Signature": sign(self._token, posting.url, posting.form),
                "I-Twilio-Idempotency-Token": posting.token,
            },
            allow_redirects=False,
            timeout=timeout,
        ) as answer:
            body = await _at_most(answer.content)
            return Heard(
                status=answer.status,
                content_type=answer.content_type,
                body=body.decode("utf-8", "replace"),
            )

    def _may_reach(self, url: str) -> bool:
        host = URL(url, encoded=True).host or ""
        if is_loopback(host):
            return True
        if host not in self._refused:
            self._refused.add(host)
            log.warning(
                "the simulator calls back to loopback alone; this host hears nothing",
                extra={"host": host},
            )
        return False


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, by its name or its address alone."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


async def _at_most(stream: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for part in stream.iter_chunked(MOST):
        body += part
        if len(body) > MOST:
            break
    return bytes(body[:MOST])


def _complain(posting: Posting, heard: Heard) -> None:
    if not 200 <= heard.status < 300:
        log.info(
            "a callback was not taken",
            extra={"path": URL(posting.url, encoded=True).path, "status": heard.status},
        )


class _LoopbackResolver(aiohttp.abc.AbstractResolver):
    """Knows one name, whatever the machine's hosts file says."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: int = 0
    ) -> list[aiohttp.abc.ResolveResult]:
        if not is_loopback(host):
            raise OSError(f"{host} is not loopback")
        return [
            aiohttp.abc.ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0
            )
        ]

    @override
    async def close(self) -> None:
        return
