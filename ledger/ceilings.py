"""How many people a caller alerted lately; what bounds an integration is asked of the ledger."""

import time
from base64 import b32hexencode

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import PREFIXES, TAIL_LENGTH
from ledger.dialect import lock_alert
from ledger.engine import read_now
from ledger.schema_people import audit

ACCEPTED = "alert.accept"
_HOUR = seconds(3600)
#: What the clocks of our processes may differ by, and more.
_SLACK = seconds(60)


async def people_in_last_hour(db: AsyncConnection, caller: str) -> int:
    """Return how many people `caller` alerted within the last hour, as counted at acceptance.

    Two requests of one caller wait for one another here, so that both together keep the ceiling.
    """
    await lock_alert(db, caller, exclusive=True)
    since = await read_now(db) - _HOUR
    rows = await db.execute(
        select(audit.c.detail).where(
            audit.c.id >= _first_id(time.time_ns() // 1000 - _HOUR - _SLACK),
            audit.c.at >= since,
            audit.c.actor == caller,
            audit.c.action == ACCEPTED,
        )
    )
    return sum(detail.get("people") or 0 for detail in rows.scalars())


def _first_id(micros: int) -> str:
    """Return what sorts before every audit id made from `micros` on: the table has no other order.

    Ids carry the time of the process that made them, not the ledger's, which rehearsals move.
    """
    head = (micros // 1000).to_bytes(6, "big") + bytes(10)
    return PREFIXES["audit"] + b32hexencode(head)[:TAIL_LENGTH].decode().lower()
