"""Receipts that come within three milliseconds are kept in one transaction.

A fan-out brings several callbacks a message. One durable transaction each would wait for the disk
each, and the last provider would give up waiting for us.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger import events
from ledger.engine import Ledger, LedgerAwayError
from ledger.events import NewEvent

#: Seconds that the first of a group waits for others.
_TOGETHER = 0.003
#: Events in one transaction.
_MOST = 200


@dataclass(slots=True)
class EventGroup:
    """What waits to be kept in this process."""

    _waiting: "list[tuple[NewEvent, asyncio.Future[None]]]" = field(default_factory=list)
    _writing: "asyncio.Task[None] | None" = None

    async def keep(self, ledger: Ledger, event: NewEvent) -> None:
        """Keep one event; it is committed when this returns. Raises `LedgerAwayError`."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(ledger))
        await kept

    async def _write(self, ledger: Ledger) -> None:
        try:
            await asyncio.sleep(_TOGETHER)
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await _keep(ledger, group)
        finally:
            self._writing = None


async def _keep(ledger: Ledger, group: "Sequence[tuple[NewEvent, asyncio.Future[None]]]") -> None:
    """Keep a group, and tell each who waits. One that cannot be kept takes no other with it."""
    try:
        async with ledger.write() as db:
            await events.keep_many(db, [event for event, _ in group])
    except Exception as error:  # noqa: BLE001 - whoever waits gets it; who gets nothing hangs
        if len(group) > 1 and not isinstance(error, LedgerAwayError):
            for one in group:
                await _keep(ledger, [one])
            return
        for _, kept in group:
            if not kept.done():
                kept.set_exception(error)
    else:
        for _, kept in group:
            if not kept.done():
                kept.set_result(None)
