"""What receipts make of a delivery's work (docs/states.md draws the moves)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef
from kentongan.joining import Standing
from kentongan.outcome import Reason
from kentongan.receipt import RANK, ReceiptKind
from kentongan.retry import RetrySchedule
from ledger.settle import Running

FAILED_RANK = RANK[ReceiptKind.FAILED]
#: What may turn out to have been called back; the last two, if the provider says so twice.
_MAY_COME_BACK = frozenset(
    {Work.SETTLED, Work.UNKNOWN, Work.RETRY_WAIT, Work.STOPPED, Work.EXPIRED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a join needs to know beside the receipts."""

    running: Mapping[str, Running]
    schedules: Mapping[str, RetrySchedule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What receipts make of one delivery."""

    work: Work
    receipt: int
    reason: str | None = None
    due_at: int | None = None


def move_for(
    ref: AttemptRef, standing: Standing, row: Any, allowed: Allowed, now: int, *, ended: bool
) -> Move:
    """Decide what a delivery's work becomes; `ended`: the person was reached by some attempt."""
    work, rank = Work(row.work), standing.rank
    if not ended and ref.no == row.latest and (back := _called_back(standing, row, allowed, now)):
        return back
    if ended:
        # `pending` after an earlier attempt: a later one was handed back.
        waits = work in {Work.PENDING, Work.RETRY_WAIT, Work.UNKNOWN}
        return Move(work=Work.SETTLED if waits else work, receipt=rank)
    if ref.no != row.latest or work not in {Work.SETTLED, Work.UNKNOWN, Work.RETRY_WAIT}:
        return Move(work=work, receipt=rank, reason=standing.reason)
    fails_for_now = rank == FAILED_RANK and standing.transient
    if work is Work.RETRY_WAIT and (fails_for_now or rank < FAILED_RANK):
        return Move(work=work, receipt=rank, reason=standing.reason, due_at=row.due_at)
    due_at = _due_again(row, allowed, now) if fails_for_now else None
    return Move(
        work=Work.SETTLED if due_at is None else Work.RETRY_WAIT,
        receipt=rank,
        reason=standing.reason,
        due_at=due_at,
    )


def _called_back(standing: Standing, row: Any, allowed: Allowed, now: int) -> Move | None:
    """Return what becomes of a delivery whose message its provider took back before it left.

    Where its alert still runs, somebody did so at the provider, and it has failed.
    """
    is_back = standing.rank == FAILED_RANK and standing.reason == Reason.STOPPED
    if not is_back or row.work not in _MAY_COME_BACK:
        return None
    work, reason = allowed.running[row.alert_id].work_for(Work.RETRY_WAIT, now)
    if work is Work.RETRY_WAIT:
        return None
    return Move(work=work, receipt=standing.rank, reason=reason)


def _due_again(row: Any, allowed: Allowed, now: int) -> int | None:
    """Return when to try again; None: tries are used up, or the alert no longer runs by then."""
    wait = allowed.schedules[row.channel].wait_before(max(row.tries, 1))
    if wait is None:
        return None
    due_at = now + seconds(wait.total_seconds())
    work, _ = allowed.running[row.alert_id].work_for(Work.RETRY_WAIT, due_at)
    return due_at if work is Work.RETRY_WAIT else None
