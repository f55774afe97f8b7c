"""Writing outcomes, in bulk and once: whoever comes second leaves a late outcome instead."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef, DeliveryId, new_id
from kentongan.outcome import Reason
from kentongan.receipt import RANK, REACHED_RANK, ReceiptKind
from kentongan.settling import POLL_AFTER, Resolution
from ledger.claims import LEAST_LIFE
from ledger.dialect import Row, Update, insert_many, is_postgresql, lock_alert, update_all
from ledger.driver import fetch, in_thread
from ledger.engine import read_now
from ledger.schema import attempts, deliveries, provider_events
from ledger.settle_plain import settle_plain
from ledger.settled import Settled

__all__ = [
    "Running",
    "Settled",
    "Standing",
    "best_receipt",
    "is_reached",
    "lock_running",
    "poll_at",
    "settle",
    "settle_each",
    "standing",
]


async def settle(db: AsyncConnection, settled: Sequence[Settled]) -> int:
    """Write outcomes; return how many came too late and were kept as events."""
    left = await settle_plain(db, settled)
    return await settle_each(db, left) if left else 0


async def settle_each(db: AsyncConnection, settled: Sequence[Settled]) -> int:
    """Write outcomes of any kind by a look at how each stands; return how many came too late.

    Where the alert no longer runs, what would have waited becomes `stopped` or `expired` at once:
    the alert's shared lock keeps a stop from slipping between the look and the write. A receipt
    may have come before us: its rank stays, and it proves that an unknown was sent.
    """
    running = await lock_running(db, sorted({s.alert_id for s in settled}))
    now = await read_now(db)
    rows = sorted(settled, key=lambda s: s.attempt)
    was = await standing(db, [s.attempt.delivery_id for s in rows])
    found = [(s, was.get(s.attempt)) for s in rows]
    ours = [(s, stands) for s, stands in found if stands is not None and stands.outcome is None]
    late = [s for s, stands in found if stands is None or stands.outcome is not None]
    await update_all(
        db,
        Update(
            attempts,
            [_attempt_row(s, stands, now) for s, stands in ours],
            keys=("delivery_id", "no"),
        ),
        Update(
            deliveries,
            [_delivery_row(s, stands, running[s.alert_id], now) for s, stands in ours],
            keys=("id", "attempts"),
            guard="deliveries.work = 'attempting'",
        ),
    )
    await insert_many(db, provider_events, [_late_event(s, now) for s in late])
    return len(late)


class Standing(NamedTuple):
    """How an attempt and its delivery stand."""

    delivery_id: DeliveryId
    no: int
    channel: str
    outcome: str | None
    resolution: str | None
    receipt: int
    provider_id: str | None
    asks: int
    tries: int
    best: int  # the delivery's receipt
    response: str | None
    deaths: int  # workers that were lost with an attempt of the delivery open


_COLUMNS = (
    "a.delivery_id, a.no, a.channel, a.outcome, a.resolution, a.receipt, a.provider_id, a.asks,"
    " d.tries, d.receipt, d.response, d.deaths"
)
_STANDING = (
    f"SELECT {_COLUMNS} FROM attempts AS a JOIN deliveries AS d ON d.id = a.delivery_id"  # noqa: S608 - of our own words
    " WHERE a.delivery_id = ANY($1) ORDER BY a.delivery_id, a.no FOR UPDATE OF d, a"
)
_STANDING_TOGETHER = (
    f"SELECT json_group_array(json_array({_COLUMNS})) FROM attempts AS a"  # noqa: S608 - likewise
    " JOIN deliveries AS d ON d.id = a.delivery_id"
    " WHERE a.delivery_id IN (SELECT value FROM json_each(?))"
)


async def standing(db: AsyncConnection, ids: Sequence[str]) -> "dict[AttemptRef, Standing]":
    """Lock deliveries and their attempts, and return how they stand.

    Both: while we wait for one row, PostgreSQL would tell the other as it was before. The delivery
    first, as everyone who locks both: else two of them could wait for each other.
    """
    if is_postgresql(db):
        rows = [Standing(*row) for row in await fetch(db, _STANDING, list(ids))]
    else:
        rows = await in_thread(db, lambda connection: _standing(connection, ids))
    return {AttemptRef(row.delivery_id, row.no): row for row in rows}


def _standing(connection: sqlite3.Connection, ids: Sequence[str]) -> "list[Standing]":
    # As one row: each that is fetched lets go of the interpreter's lock.
    [found] = connection.execute(_STANDING_TOGETHER, (json.dumps(list(ids)),)).fetchone()
    return [Standing(*row) for row in json.loads(found)]


async def lock_running(db: AsyncConnection, ids: Sequence[str]) -> "dict[str, Running]":
    """Hold the alerts' shared locks and return what each still allows."""
    for alert_id in ids:
        await lock_alert(db, alert_id, exclusive=False)
    rows: Sequence[Any]
    if is_postgresql(db):
        rows = await fetch(db, _RUNNING + "ANY($1)", list(ids))
    else:
        rows = await in_thread(
            db,
            lambda connection: connection.execute(_RUNNING_LISTED, (json.dumps(ids),)).fetchall(),
        )
    return {
        alert_id: Running(stopped=control == Control.STOPPED, expires_at=expires_at)
        for alert_id, control, expires_at in rows
    }


_RUNNING = "SELECT id, control, expires_at FROM alerts WHERE id = "
_RUNNING_LISTED = (
    "SELECT id, control, expires_at FROM alerts WHERE id IN (SELECT value FROM json_each(?))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What an alert still allows: whether it was stopped, and when it expires."""

    stopped: bool
    expires_at: int

    def work_for(self, work: Work, due_at: int) -> tuple[Work, Reason | None]:
        """Return what `pending` or `retry_wait` becomes here; any other work stays."""
        if work is not Work.PENDING and work is not Work.RETRY_WAIT:
            return work, None
        if self.stopped:
            return Work.STOPPED, Reason.STOPPED
        if due_at > self.expires_at - seconds(LEAST_LIFE):
            return Work.EXPIRED, Reason.EXPIRED
        return work, None


def _is_proved(s: Settled, was: Any) -> bool:
    """Tell whether a receipt came before an unclear outcome, and shows that it was sent."""
    return was.receipt > 0 and s.outcome == "unknown"


def _attempt_row(s: Settled, was: Any, now: int) -> Row:
    proved = _is_proved(s, was)
    ask_at = None if s.ask_in is None else now + seconds(s.ask_in)
    return {
        "delivery_id": s.attempt.delivery_id,
        "no": s.attempt.no,
        "outcome": s.outcome,
        "outcome_at": now,
        "reason": s.reason,
        "detail": s.detail or None,
        "provider_id": s.provider_id or was.provider_id,  # an early receipt may have brought it
        "ask_at": poll_at(was.receipt, now) if proved else ask_at,
        "receipt": max(s.receipt, was.receipt),
        "resolution": Resolution.SETTLED if proved else None,
        "resolution_by": "receipt" if proved else None,
        "resolution_at": now if proved else None,
    }


def poll_at(receipt: int, now: int) -> int | None:
    """Return when to ask what followed a receipt that proved an unknown; None: it was the last."""
    last = receipt >= RANK[ReceiptKind.FAILED]
    return None if last else now + seconds(POLL_AFTER[0].total_seconds())


def _delivery_row(s: Settled, was: Any, running: Running, now: int) -> Row:
    due_at = now + seconds(s.due_in) if s.due_in else now
    wanted = Work.SETTLED if is_reached(was) or _is_proved(s, was) else s.work
    if wanted is Work.PENDING and was.deaths:
        wanted = Work.RETRY_WAIT  # it may have killed a worker: it is claimed apart again, at once
    work, instead = running.work_for(wanted, due_at)
    # Why the last attempt failed says more than that the alert then expired.
    reason = s.reason if instead is Reason.EXPIRED and s.reason else instead or s.reason
    return {
        "id": s.attempt.delivery_id,
        "attempts": s.attempt.no,
        "work": work,
        "reason": None if work is Work.SETTLED else reason,
        "tries": s.tries + int(s.charged),
        "due_at": due_at if work is Work.RETRY_WAIT else None,
        "receipt": best_receipt(was.best, max(s.receipt, was.receipt)),
        "settled_at": now if work is Work.SETTLED or work is Work.FAILED else None,
    }


def is_reached(was: Any) -> bool:
    """Tell whether the person answered, or was reached by any attempt: they need no other."""
    return was.response is not None or was.best >= REACHED_RANK


def best_receipt(best: int, latest: int) -> int:
    """Return what a delivery shows: what reached the person on any attempt, else the latest's."""
    return max(best, latest) if best >= REACHED_RANK else latest


def _late_event(s: Settled, now: int) -> Row:
    payload: Mapping[str, Any] = {
        "outcome": s.outcome,
        "reason": s.reason,
        "detail": s.detail,
        "provider_id": s.provider_id,
        "receipt": s.receipt,
    }
    return {
        "id": new_id("event"),
        "channel": s.channel,
        "kind": "late_outcome",
        "delivery_id": s.attempt.delivery_id,
        "no": s.attempt.no,
        "payload": payload,
        "came_at": now,
        "joined_at": now,
        "verdict": "kept",
    }
