"""Opening attempts: the one place where the intent to send is written before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import exists, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from kentongan.alert import Control
from kentongan.caps import Terms
from kentongan.clock import SECOND, seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef, DeliveryId
from ledger import caps
from ledger.dialect import lock_suspects
from ledger.opening import Opened, Opener, Which, count, open_some, state, write_attempts
from ledger.schema import alerts, deliveries

#: Written out, not bound: a partial index serves only what the planner can read.
IS_PENDING = deliveries.c.work == literal_column(f"'{Work.PENDING}'")
RETRY_WAITS = deliveries.c.work == literal_column(f"'{Work.RETRY_WAIT}'")

#: What may have killed a worker is claimed apart from the rest: after its first death so many at
#: once, then alone, so that what is not to blame is not lost with what is three times over.
SUSPECTS = 16

#: With less life than this, in seconds, nothing is sent any more.
LEAST_LIFE = 10.0
_LEAST = seconds(LEAST_LIFE)


class Claimed(NamedTuple):
    """An attempt that was opened: the ledger knows that it may be sent. Made once a send."""

    attempt: AttemptRef
    address: str
    name: str
    locale: str
    units: int
    tries: int  # those charged so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one claim opened, and the alert's life in seconds, counted from before the claim.

    `held` are the deliveries that it would have opened, had a cap not held them back; `more` says
    whether others may have been due as well.
    """

    claimed: list[Claimed]
    remaining: float
    held: int = 0
    more: bool = False


def may_run(alert_id: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that the alert is active and lives long enough."""
    return exists().where(
        alerts.c.id == alert_id,
        alerts.c.control == Control.ACTIVE,
        alerts.c.expires_at > now + seconds(LEAST_LIFE),
    )


async def claim(
    db: AsyncConnection,
    *,
    alert_id: str,
    channel: str,
    sender: str,
    provider: str = "",
    worker: str,
    limit: int,
    after: str = "",
    terms: Terms | None = None,
) -> Window:
    """Open at most `limit` attempts: due retries first, then what was never tried, by id.

    Before all, a few retries by themselves that were open when a worker died.

    The alert's shared lock comes with the first statement: those after it see a stop that committed
    while it waited. `after` skips the ids that this turn has claimed before; `terms` are the caps
    that hold for it.
    """
    await caps.take_turns(db, terms)
    now, deaths, has_retries, expires_at = await state(db, alert_id, channel)
    opener = Opener(alert_id, channel, sender, provider, worker, now)
    # What a cap may yet hold back gets its attempt afterwards.
    same: Any = {"least": _LEAST, "attempts": terms is None}
    rows: list[Any] = []
    if deaths:
        rows = await _open_suspects(db, opener, deaths, limit=limit, attempts=terms is None)
    is_suspect = bool(rows)
    if has_retries and not is_suspect:
        rows = await open_some(db, Which.DUE, opener, limit=limit, **same)
    if len(rows) < limit and not is_suspect:
        left = limit - len(rows)
        rows += await open_some(db, Which.PENDING, opener, limit=left, after=after, **same)
    found = len(rows)
    if terms is not None and rows:
        last = (expires_at or 0) - _LEAST
        moved = [Opened(*row) for row in rows]
        rows = await caps.admit(db, terms, moved, worker=worker, now=now, last=last)
        await write_attempts(db, [row.id for row in rows], opener)
    return Window(
        claimed=[_claimed(row) for row in rows],
        remaining=((expires_at or 0) - now) / SECOND,
        held=found - len(rows),
        more=is_suspect or found >= limit,
    )


async def _open_suspects(
    db: AsyncConnection, opener: Opener, deaths: int, *, limit: int, attempts: bool
) -> list[Sequence[Any]]:
    """Open a few retries that were open when a worker died, the most suspect first.

    One with its second death behind it is opened only while no other such is open anywhere: its
    third would be no proof against two.
    """
    same: Any = {"least": _LEAST, "attempts": attempts}
    if deaths > 1:
        await lock_suspects(db, opener.alert_id, opener.channel)
        if rows := await open_some(db, Which.LAST, opener, limit=1, **same):
            return rows
    return await open_some(db, Which.SUSPECT, opener, limit=min(limit, SUSPECTS), **same)


def _claimed(row: Sequence[Any]) -> Claimed:
    delivery, no, address, name, locale, units, tries = row
    return Claimed(AttemptRef(DeliveryId(delivery), no), address, name, locale, units, tries)


class Due(NamedTuple):
    """How many deliveries could be claimed now, and how many workers there are to claim them."""

    rows: int
    workers: int

    @property
    def share(self) -> int:
        """What falls to one worker, rounded up."""
        return -(-self.rows // max(1, self.workers))


async def count_due(db: AsyncConnection, alert_id: str, channel: str, most: int) -> Due:
    """Return how many deliveries could be claimed now, counting no further than `most`."""
    rows, workers = await count(db, alert_id, channel, least=_LEAST, most=most)
    return Due(min(rows, most), workers)
