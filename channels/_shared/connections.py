"""Connections as aiohttp makes and keeps them, and a shortcut to those that are used at once."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from yarl import URL

if TYPE_CHECKING:
    from aiohttp.connector import Connection

#: Servers whose particulars are kept.
_MOST_SERVERS = 1000
#: Seconds after which what nobody took goes back to aiohttp, which closes it when it is too old.
_AT_HAND = 1.0


class Connections:
    """One connector's, opened by the first request.

    Asking the connector and giving back takes it as long as a fifth of an exchange. So what is
    given back stays at hand for a second, unless somebody waits for a connection: to the connector
    it is in use meanwhile, and counts towards its limits.
    """

    def __init__(self, connector: Callable[[], TCPConnector], *, within: float) -> None:
        self._made = connector
        self._patience = ClientTimeout(connect=within, sock_connect=within)
        self._connector: TCPConnector | None = None
        self._servers: dict[str, ClientRequest] = {}
        self._at_hand: dict[str, list[Connection]] = {}
        self._asking = 0
        self._timer: asyncio.TimerHandle | None = None

    def at_hand(self, server: str) -> "Connection | None":
        """Return a connection that is held and idle, if there is one."""
        kept = self._at_hand.get(server)
        while kept:
            connection = kept.pop()
            if not connection.closed:
                return connection
            connection.close()
        return None

    async def connect(self, server: str) -> "Connection":
        """Return a connection from the pool, or a new one. Raises what aiohttp raises."""
        if self._connector is None:
            self._connector = self._made()
        self._let_go()  # what is at hand for others may be all that the limits allow
        self._asking += 1
        try:
            return await self._connector.connect(self._request(server), [], self._patience)
        finally:
            self._asking -= 1

    def give_back(self, server: str, connection: "Connection") -> None:
        """Keep a connection for the next request, unless it must be closed."""
        protocol = connection.protocol
        if self._asking or self._connector is None or protocol is None or protocol.should_close:
            connection.release()
            return
        self._at_hand.setdefault(server, []).append(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AT_HAND, self._let_go)

    async def close(self) -> None:
        """Close them all. May be called twice."""
        self._let_go()
        connector, self._connector = self._connector, None
        self._servers.clear()
        if connector is not None:
            await connector.close()

    def _let_go(self) -> None:
        """Give the connector what is at hand."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for kept in self._at_hand.values():
            for connection in kept:
                connection.release()
        self._at_hand.clear()

    def _request(self, server: str) -> ClientRequest:
        """Return how a connector is told whom to connect to; it is never sent."""
        request = self._servers.get(server)
        if request is None:
            if len(self._servers) >= _MOST_SERVERS:
                self._servers.clear()
            request = ClientRequest("POST", URL(server), loop=asyncio.get_running_loop())
            self._servers[server] = request
        return request
