"""Joining receipts to their attempts, in bulk, any order, any number of times."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Mode
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.joining import Standing, joined
from kentongan.outcome import Reason
from kentongan.receipt import REACHED_RANK, Receipt
from kentongan.retry import RetrySchedule
from kentongan.settling import Resolution
from ledger.dialect import among, update_many
from ledger.engine import read_now
from ledger.events import mark
from ledger.provider_ids import holders
from ledger.receipt_moves import Allowed, Move, move_for
from ledger.schema import alert_progress, alerts, attempts, deliveries
from ledger.settle import best_receipt, is_reached, lock_running, poll_at


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceipt:
    """A receipt that was read out of an event; None where the event held none."""

    event: str
    channel: str
    receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a join did: counts by verdict, and what it learned about contact points."""

    verdicts: Mapping[str, int]
    opted_out: Sequence[tuple[str, str]]  # channel, address


Rows = Mapping[AttemptRef, Any]


async def join(
    db: AsyncConnection,
    found: Sequence[EventReceipt],
    schedules: Mapping[str, RetrySchedule],
) -> Joined:
    """Join receipts to their attempts: the highest rank wins, in any order, any number of times.

    A failure that overtook our own write waits, unjoined, until the attempt has its outcome.
    """
    now = await read_now(db)
    running = await lock_running(db, await _alerts_of(db, found))
    rows = await _standing(db, found)
    was = {ref: _standing_of(row) for ref, row in rows.items()}
    states = dict(was)
    refs = _refs_of(found, rows)
    held = await holders(db, _to_adopt(found, refs, rows))
    verdicts: dict[str, str] = {}
    opted_out: list[tuple[str, str]] = []
    for item, ref in zip(found, refs, strict=True):
        said = item.receipt
        if said is None or not ref or not held.is_free(item.channel, said.provider_id, ref):
            verdicts[item.event] = "unread" if said is None else "quarantined"
            continue
        step = joined(states[ref], said)
        held.hold(item.channel, step.standing.provider_id, ref)
        verdicts[item.event] = step.verdict
        states[ref] = step.standing
        practised = rows[ref].mode == Mode.TEST  # the simulator's word says nothing of real people
        if step.verdict == "joined" and said.reason == Reason.OPTED_OUT and not practised:
            opted_out.append((item.channel, rows[ref].address))
    changed = {ref: standing for ref, standing in states.items() if standing != was[ref]}
    await _write_attempts(db, changed, rows, now)
    allowed = Allowed(running=running, schedules=schedules)
    await _write_deliveries(db, changed, rows, allowed, now)
    await mark(db, verdicts, now)
    return Joined(verdicts=Counter(verdicts.values()), opted_out=opted_out)


#: Columns of an attempt, its delivery and its alert, as far as a join looks at them.
_LOOKED_AT = (
    attempts.c.delivery_id,
    attempts.c.no,
    attempts.c.alert_id,
    attempts.c.channel,
    attempts.c.outcome,
    attempts.c.resolution,
    attempts.c.provider_id,
    attempts.c.receipt,
    attempts.c.receipt_word,
    attempts.c.receipt_code,
    attempts.c.failed_once,
    alerts.c.mode,
    deliveries.c.address,
    deliveries.c.work,
    deliveries.c.response,
    deliveries.c.due_at,
    deliveries.c.tries,
    deliveries.c.attempts.label("latest"),
    deliveries.c.receipt.label("best"),
)
# Put together once: that takes longer than running it.
_ALERTS = select(attempts.c.alert_id).distinct()
_STANDING = (
    select(*_LOOKED_AT)
    .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
    .join(alerts, alerts.c.id == attempts.c.alert_id)
    .order_by(attempts.c.delivery_id, attempts.c.no)
    .with_for_update(of=[deliveries, attempts])
)


async def _alerts_of(db: AsyncConnection, found: Sequence[EventReceipt]) -> list[str]:
    """Return the alerts that the receipts speak of: their locks come before those of any row."""
    return sorted((await db.execute(_ALERTS.where(_spoken_of(db, found)))).scalars())


async def _standing(db: AsyncConnection, found: Sequence[EventReceipt]) -> dict[AttemptRef, Any]:
    """Lock and return the attempts that the receipts speak of, with their deliveries."""
    rows = await db.execute(_STANDING.where(_spoken_of(db, found)))
    return {AttemptRef(DeliveryId(r.delivery_id), r.no): r for r in rows}


def _spoken_of(db: AsyncConnection, found: Sequence[EventReceipt]) -> ColumnElement[bool]:
    named = {f.receipt.attempt.delivery_id for f in found if f.receipt and f.receipt.attempt}
    ids = _ids_of([f for f in found if f.receipt and not f.receipt.attempt])
    return or_(
        among(db, attempts.c.delivery_id, sorted(named)),
        *(and_(attempts.c.channel == c, attempts.c.provider_id == p) for c, p in sorted(ids)),
    )


def _ids_of(found: Sequence[EventReceipt]) -> set[tuple[str, str]]:
    return {
        (f.channel, f.receipt.provider_id) for f in found if f.receipt and f.receipt.provider_id
    }


def _standing_of(row: Any) -> Standing:
    return Standing(
        rank=row.receipt,
        word=row.receipt_word or "",
        code=row.receipt_code or "",
        failed=row.failed_once,
        reached=row.receipt >= REACHED_RANK,
        provider_id=row.provider_id,
        decided=row.outcome is not None,
    )


def _refs_of(found: Sequence[EventReceipt], rows: Rows) -> list[AttemptRef | None]:
    """Return which attempt each speaks of: by our own mark first, else by the provider's id."""
    holding: dict[tuple[str, str], AttemptRef] = {}
    for ref, row in rows.items():
        if row.provider_id:
            holding.setdefault((row.channel, row.provider_id), ref)
    return [_ref_of(item, rows, holding) for item in found]


def _ref_of(
    item: EventReceipt, rows: Rows, holding: Mapping[tuple[str, str], AttemptRef]
) -> AttemptRef | None:
    if (receipt := item.receipt) is None:
        return None
    if (ref := receipt.attempt) is not None:
        return ref if ref in rows and rows[ref].channel == item.channel else None
    return holding.get((item.channel, receipt.provider_id)) if receipt.provider_id else None


def _to_adopt(
    found: Sequence[EventReceipt], refs: Sequence[AttemptRef | None], rows: Rows
) -> set[tuple[str, str]]:
    """Return the ids that their attempts do not hold yet: another may hold them instead."""
    pairs = zip(found, refs, strict=True)
    return _ids_of(
        [
            f
            for f, ref in pairs
            if ref and f.receipt and f.receipt.provider_id != rows[ref].provider_id
        ]
    )


async def _write_attempts(
    db: AsyncConnection, changed: Mapping[AttemptRef, Standing], rows: Rows, now: int
) -> None:
    await update_many(
        db,
        attempts,
        [
            {
                "delivery_id": ref.delivery_id,
                "no": ref.no,
                "receipt": s.rank,
                "receipt_at": now,
                "receipt_word": s.word or None,
                "receipt_code": s.code or None,
                "failed_once": s.failed,
                "provider_id": s.provider_id,
            }
            for ref, s in changed.items()
        ],
        keys=("delivery_id", "no"),
    )
    unsure = {ref: s for ref, s in changed.items() if rows[ref].outcome == "unknown"}
    await _resolve(db, unsure, now)


async def _resolve(db: AsyncConnection, unsure: Mapping[AttemptRef, Standing], now: int) -> None:
    """A receipt shows that an unknown was sent; what was decided before stays as it was."""
    settled = {"resolution": Resolution.SETTLED, "resolution_by": "receipt", "resolution_at": now}
    rows = [
        {"delivery_id": ref.delivery_id, "no": ref.no, "ask_at": poll_at(s.rank, now), "asks": 0}
        | settled
        for ref, s in unsure.items()
    ]
    guard = "attempts.resolution IS NULL"
    await update_many(db, attempts, rows, keys=("delivery_id", "no"), guard=guard)


async def _write_deliveries(
    db: AsyncConnection,
    changed: Mapping[AttemptRef, Standing],
    rows: Rows,
    allowed: Allowed,
    now: int,
) -> None:
    reached = {
        ref.delivery_id
        for ref, standing in changed.items()
        if standing.rank >= REACHED_RANK or is_reached(rows[ref])
    }
    moves: dict[AttemptRef, Move] = {}
    for ref, standing in changed.items():
        ended = ref.delivery_id in reached
        moves[ref] = move_for(ref, standing, rows[ref], allowed, now, ended=ended)
    by_delivery: dict[str, dict[str, Any]] = {}
    for ref, move in sorted(moves.items()):
        row = rows[ref]
        if ref.no != row.latest and move.receipt < REACHED_RANK:
            continue  # an earlier attempt's failure says nothing while a later one stands
        entry = by_delivery.get(ref.delivery_id)
        best = best_receipt(entry["receipt"] if entry else row.best, move.receipt)
        by_delivery[ref.delivery_id] = {
            "id": ref.delivery_id,
            "attempts": row.latest,
            "work": move.work,
            "receipt": best,
            "reason": move.reason,
            "due_at": move.due_at,
        }
    await update_many(db, deliveries, list(by_delivery.values()), keys=("id", "attempts"))
    again = {rows[ref].alert_id for ref, move in moves.items() if move.due_at is not None}
    if again:
        # It may have been closed, with nothing left to do; the sweep passes over what is closed.
        await db.execute(
            update(alert_progress)
            .where(alert_progress.c.alert_id.in_(sorted(again)))
            .values(closed_at=None)
        )
