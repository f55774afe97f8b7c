"""The last look before the first byte: what was stopped, paused or opted out since the claim."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from ledger.dialect import among, is_postgresql
from ledger.driver import fetch
from ledger.engine import Ledger
from ledger.schema import alerts
from ledger.schema_people import suppressions

#: Both questions in one: rows of (alert, control) and of (channel, address).
_ASK = """
SELECT id, control, true FROM alerts WHERE id = ANY($1) AND control <> 'active'
UNION ALL
SELECT channel, address, false FROM suppressions
WHERE lifted_at IS NULL AND channel = ANY($2) AND address = ANY($3)
"""
#: The same about one message, by two keys.
_GLANCE = """
SELECT id, control, 1 FROM alerts WHERE id = ?1 AND control <> 'active'
UNION ALL
SELECT channel, address, 0 FROM suppressions
WHERE lifted_at IS NULL AND channel = ?2 AND address = ?3
"""


class Barred(NamedTuple):
    """Those of the asked that may not go out."""

    stopped: Collection[str]
    paused: Collection[str]
    suppressed: Collection[tuple[str, str]]


#: What is found nearly always; made once.
NOBODY = Barred((), (), ())


def glance(ledger: Ledger, alert_id: str, channel: str, address: str) -> Barred | None:
    """Return at once whether one message may go out; None: `barred` has to be asked."""
    found = ledger.glance(_GLANCE, alert_id, channel, address)
    return found if found is None else _barred(found)


async def barred(
    db: AsyncConnection, ids: Collection[str], points: Collection[tuple[str, str]]
) -> Barred:
    """Return which of these alerts are stopped or paused, which of these points suppressed."""
    if is_postgresql(db):
        channels = list({channel for channel, _ in points})
        return _barred(await fetch(db, _ASK, list(ids), channels, [point[1] for point in points]))
    return _barred([*await _held(db, ids), *await _opted_out(db, points)])


async def _held(db: AsyncConnection, ids: Collection[str]) -> Iterable[Any]:
    query = select(alerts.c.id, alerts.c.control).where(
        among(db, alerts.c.id, ids), alerts.c.control != Control.ACTIVE
    )
    return [(*row, True) for row in await db.execute(query)]


async def _opted_out(db: AsyncConnection, points: Collection[tuple[str, str]]) -> Iterable[Any]:
    query = select(suppressions.c.channel, suppressions.c.address).where(
        suppressions.c.lifted_at.is_(None),
        among(db, suppressions.c.channel, {channel for channel, _ in points}),
        among(db, suppressions.c.address, {address for _, address in points}),
    )
    return [(*row, False) for row in await db.execute(query)]


def _barred(rows: Sequence[Any]) -> Barred:
    if not rows:
        return NOBODY
    held = [(one, other) for one, other, is_alert in rows if is_alert]
    return Barred(
        stopped={alert for alert, control in held if control == Control.STOPPED},
        paused={alert for alert, control in held if control == Control.PAUSED},
        suppressed={(one, other) for one, other, is_alert in rows if not is_alert},
    )
