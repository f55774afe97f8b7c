"""Expansions of which workers die: starts that wrote no page are counted, up to three.

An expansion that begins when it is due notes nothing: so an alert costs no write more. Only one
that should have gone on before is noted. And one that a worker died beside is begun alone from then
on: many begin at once when a worker starts, and its death would be held against each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.expansion import Stage
from ledger.dialect import db_now, lock_suspects
from ledger.engine import read_now
from ledger.schema import alert_progress, incarnations

#: An expansion is set aside when so many noted starts ended with their worker.
MOST_STARTS = 3
#: What was due so many seconds ago and is not done may have been begun before.
_FRESH = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Whether an expansion is set aside, and whether beginning it is to be noted."""

    is_aside: bool
    is_noted: bool


class Start(StrEnum):
    """What becomes of an expansion that somebody wants to begin."""

    BEGUN = "begun"
    WAITS = "waits"  # until another that workers died of has ended
    ASIDE = "aside"  # too many died of it


async def look(db: AsyncConnection, alert_id: str) -> Look:
    """Return how an expansion is to be begun; it takes no lock."""
    row = (
        await db.execute(
            select(
                alert_progress.c.set_aside_at,
                (alert_progress.c.expand_at < db_now() - seconds(_FRESH)).label("late"),
            ).where(alert_progress.c.alert_id == alert_id)
        )
    ).one_or_none()
    if row is None:
        return Look(is_aside=False, is_noted=False)
    return Look(is_aside=row.set_aside_at is not None, is_noted=bool(row.late))


async def begin(db: AsyncConnection, alert_id: str, worker: str) -> Start:
    """Note that `worker` begins, unless the expansion has to wait or is set aside.

    While another that lives is at it, nothing is noted: two may write pages at once. Nor does one
    note itself whose lease has lapsed, as after a ledger that was away: it would pass for dead. And
    what is done already kills nobody.
    """
    await lock_suspects(db, "expansions", "")
    row = (
        await db.execute(
            select(alert_progress.c.starts, alert_progress.c.starter, alert_progress.c.stage)
            .where(alert_progress.c.alert_id == alert_id)
            .with_for_update()
        )
    ).one()
    if row.stage == Stage.DONE:
        return Start.BEGUN
    now = await read_now(db)
    if await _lives(db, row.starter, now) or not await _lives(db, worker, now):
        return Start.BEGUN
    if row.starts >= MOST_STARTS:
        await _write(db, alert_id, {"set_aside_at": now, "starter": None})
        return Start.ASIDE
    if row.starts and await _another_suspect(db, alert_id, now):
        return Start.WAITS
    await _write(db, alert_id, {"starts": row.starts + 1, "starter": worker})
    return Start.BEGUN


async def end(db: AsyncConnection, alert_id: str, worker: str) -> None:
    """Note that `worker` lived to end what it began, whatever came of it."""
    await db.execute(
        update(alert_progress)
        .where(alert_progress.c.alert_id == alert_id, alert_progress.c.starter == worker)
        .values(starts=0, starter=None)
    )


async def _lives(db: AsyncConnection, worker: str | None, now: int) -> bool:
    lease = exists().where(incarnations.c.id == worker, incarnations.c.until_at > now)
    return worker is not None and bool(await db.scalar(select(lease)))


async def _another_suspect(db: AsyncConnection, alert_id: str, now: int) -> bool:
    """Tell whether a worker that lives is at another expansion that one died of before."""
    found = exists().where(
        alert_progress.c.alert_id != alert_id,
        alert_progress.c.starts > 1,
        alert_progress.c.starter == incarnations.c.id,
        incarnations.c.until_at > now,
    )
    return bool(await db.scalar(select(found)))


async def _write(
    db: AsyncConnection, alert_id: str, values: Mapping[str, int | str | None]
) -> None:
    await db.execute(
        update(alert_progress).where(alert_progress.c.alert_id == alert_id).values(values)
    )
