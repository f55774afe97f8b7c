"""How many people a caller alerted lately; what bounds an integration is asked of the ledger."""

import time
from base64 import b32hexencode
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import SECOND, seconds
from kentongan.ids import PREFIXES, TAIL_LENGTH
from ledger.dialect import lock_alert
from ledger.engine import read_now
from ledger.schema_people import audit

ACCEPTED = "alert.accept"
_HOUR = seconds(3600)
#: What the clocks of our processes may differ by, and more.
_SLACK = seconds(60)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHour:
    """Whom a caller alerted within the hour before `now`: when, and how many, the oldest first."""

    now: int
    alerted: Sequence[tuple[int, int]]

    @property
    def people(self) -> int:
        return sum(people for _, people in self.alerted)

    def wait(self, people: int, ceiling: int) -> int | None:
        """Return in how many seconds `people` fit under `ceiling`, 0 if now, None if never."""
        over = self.people + people - ceiling
        if over <= 0:
            return 0
        for at, gone in self.alerted:
            over -= gone
            if over <= 0:
                # Up to its last microsecond the hour still holds them.
                return (at + _HOUR - self.now) // SECOND + 1
        return None


async def last_hour(db: AsyncConnection, caller: str) -> LastHour:
    """Return whom `caller` alerted within the last hour, as counted at acceptance.

    Two requests of one caller wait for one another here, so that both together keep the ceiling.
    """
    await lock_alert(db, caller, exclusive=True)
    now = await read_now(db)
    rows = await db.execute(
        select(audit.c.at, audit.c.detail)
        .where(
            audit.c.id >= _first_id(time.time_ns() // 1000 - _HOUR - _SLACK),
            audit.c.at >= now - _HOUR,
            audit.c.actor == caller,
            audit.c.action == ACCEPTED,
        )
        .order_by(audit.c.at)
    )
    return LastHour(now=now, alerted=[(row.at, row.detail.get("people") or 0) for row in rows])


def _first_id(micros: int) -> str:
    """Return what sorts before every audit id made from `micros` on: the table has no other order.

    Ids carry the time of the process that made them, not the ledger's, which rehearsals move.
    """
    head = (micros // 1000).to_bytes(6, "big") + bytes(10)
    return PREFIXES["audit"] + b32hexencode(head)[:TAIL_LENGTH].decode().lower()
