"""Receipts that come within three milliseconds are kept in one transaction.

A fan-out brings several callbacks a message, and the last provider would give up waiting for us.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger import events
from ledger.engine import Db, Ledger
from ledger.events import NewEvent
from service.grouping import Group


async def _together(db: Db, new: Sequence[NewEvent]) -> Sequence[None]:
    await events.keep_many(db, new)
    return [None] * len(new)


async def _alone(ledger: Ledger, new: NewEvent) -> None:
    async with ledger.write() as db:
        await events.keep_many(db, [new])


@dataclass(slots=True)
class EventGroup:
    """What waits to be kept in this process."""

    _group: Group[NewEvent, None] = field(default_factory=lambda: Group(_together, _alone))

    async def keep(self, ledger: Ledger, event: NewEvent) -> None:
        """Keep one event; it is committed when this returns. Raises `LedgerAwayError`."""
        await self._group.join(ledger, event)

    def lag(self) -> float:
        """Return for how many seconds somebody has been waiting for a commit."""
        return self._group.lag()
