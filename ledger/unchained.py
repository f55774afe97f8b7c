"""Rows of the audit that no link holds: those that wait, and those that nobody will ever link.

The chain tells of rows that it holds; this tells of the others. Whoever cuts the chain's end off
and leaves the rows, adds a row that looks linked, or takes a row's mark away, is found here.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from ledger.audit import PAGE, head
from ledger.engine import Ledger
from ledger.schema_people import audit, audit_chain

#: Seconds after which a row that waits was passed over, if a later one has its link: the leader
#: links within one, and no transaction of ours takes a minute.
_PASSED_OVER = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchained:
    """How many rows no link holds, and why; `first` is the first that should not be so."""

    waiting: int = 0
    passed_over: int = 0  # of those that wait: later rows have their link
    at_odds: int = 0  # marked as linked without a link, or linked without the mark
    first: str | None = None

    @property
    def is_sound(self) -> bool:
        return self.first is None


async def survey(ledger: Ledger) -> Unchained:
    """Go through all rows in short reads, from the oldest on."""
    async with ledger.read() as db:
        before = await _linked_up_to(db) - seconds(_PASSED_OVER)
    found, after = Unchained(), ""
    while True:
        async with ledger.read() as db:
            rows = (await db.execute(_page(after))).all()
        for row in rows:
            if not row.linked or row.seq is None:
                found = _with(found, row, before)
        if len(rows) < PAGE:
            return found
        after = rows[-1].id


def _page(after: str) -> Select[Any]:
    return (
        select(audit.c.id, audit.c.at, audit.c.linked, audit_chain.c.seq)
        .outerjoin(audit_chain, audit_chain.c.audit_id == audit.c.id)
        .where(audit.c.id > after)
        .order_by(audit.c.id)
        .limit(PAGE)
    )


def _with(found: Unchained, row: Row[Any], before: int) -> Unchained:
    if row.linked or row.seq is not None:
        return replace(found, at_odds=found.at_odds + 1, first=found.first or row.id)
    found = replace(found, waiting=found.waiting + 1)
    if row.at >= before:
        return found
    return replace(found, passed_over=found.passed_over + 1, first=found.first or row.id)


async def _linked_up_to(db: AsyncConnection) -> int:
    """Return when the deed of the last link was done."""
    last = await head(db)
    of_link = (
        select(audit.c.at)
        .join(audit_chain, audit_chain.c.audit_id == audit.c.id)
        .where(audit_chain.c.seq == last.seq)
    )
    return (await db.execute(of_link)).scalar() or 0
