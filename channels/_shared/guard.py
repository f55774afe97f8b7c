"""The guard against requests into our own network: it looks at the address of the very socket.

A check before the connection would be one too early: the name may have another address a moment
later (DNS rebinding), and a literal is never looked up at all.
"""

import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from aiohttp.tracing import Trace
from typing_extensions import override
from yarl import URL

from channels._shared.allowed import Allowed
from channels._shared.reach import read_address

if TYPE_CHECKING:
    from aiohttp.connector import Connection


class BlockedHostError(OSError):
    """The address belongs to a private network. The same words always: they reveal nothing."""

    def __init__(self) -> None:
        super().__init__(BLOCKED)


BLOCKED = "this address may not be called; KENTONGAN_WEBHOOK_ALLOW names exceptions"


# A socket factory is told the address alone; whom it was looked up for travels with the task.
_TARGET: ContextVar[URL] = ContextVar("target")


class GuardedConnector(TCPConnector):
    """A `TCPConnector` that opens sockets to permitted addresses only.

    No name's address is kept: each new connection looks it up and checks what it found.
    """

    def __init__(
        self,
        allowed: Allowed,
        *,
        limit: int,
        limit_per_host: int,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allowed = allowed
        super().__init__(
            limit=limit,
            limit_per_host=limit_per_host,
            resolver=resolver,
            use_dns_cache=False,
            socket_factory=self._open,
            keepalive_timeout=10,  # below what servers keep, so that few die under our hands
        )

    @override
    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> "Connection":
        token = _TARGET.set(req.url)
        try:
            return await super().connect(req, traces, timeout)
        finally:
            _TARGET.reset(token)

    def _open(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, where = info
        address = read_address(str(where[0]))
        target = _TARGET.get()
        host = (target.raw_host or "").rstrip(".").lower()
        if address is None or not self._allowed.permits(host, address, target.port or 0):
            raise BlockedHostError
        return socket.socket(family, kind, protocol)
