"""HTTP connections that ask the gate once they are held and before anything is written.

Asking before the pool is asked would be too early: a connection may take three seconds to come,
and an alert can be stopped, or a lease lost, in that time.
"""

from asyncio import BaseTransport
from contextvars import ContextVar
from typing import TYPE_CHECKING

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.tracing import Trace
from typing_extensions import override

from kentongan.channel import Gate

if TYPE_CHECKING:
    from aiohttp.connector import Connection


class Passage:
    """One send's way through the gate. `begun` once its first byte may have left."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.begun = False

    async def enter(self, transport: BaseTransport | None) -> None:
        """Ask the gate; what it raises passes through and leaves `begun` false."""
        await self._gate(transport)
        self.begun = True


#: A provider's library stands between us and the connector and hands nothing through, so the
#: passage travels with the task. Set it right before the request, in the same task.
PASSAGE: ContextVar[Passage | None] = ContextVar("passage", default=None)


class GatedConnector(TCPConnector):
    """A `TCPConnector` whose connections are handed out only with the gate's leave."""

    @override
    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> "Connection":
        connection = await super().connect(req, traces, timeout)
        passage = PASSAGE.get()
        if passage is None:  # a question to the provider, not a send
            return connection
        try:
            await passage.enter(connection.transport)
        except BaseException:
            connection.close()
            raise
        return connection
