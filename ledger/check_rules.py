"""What cannot be: the rules by which one delivery and its attempts must agree. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from typing_extensions import override

from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.settling import LONGEST_OPEN, Resolution
from ledger.claims import LEAST_LIFE
from ledger.leases import LEASE

#: An attempt is unknown after a minute, or at the end of its worker's lease; the settler that
#: writes it down may itself have died, so another lease and a few seconds are granted.
OPEN_AT_MOST = seconds(LONGEST_OPEN.total_seconds() + LEASE + 5)
#: A claim reads the clock a moment before it sees who opted out; what slips through there is
#: barred at the gate and never begun.
SLACK = seconds(1)


class FaultKind(StrEnum):
    """What can be found wrong."""

    # one delivery
    ATTEMPTS = "attempts"  # they are not numbered from 1 to the delivery's count
    WORK = "work"  # its work and its latest attempt contradict each other
    OPEN_TOO_LONG = "open_too_long"
    DUE = "due"  # a due time without waiting, or waiting without one
    SHARED_ID = "shared_id"  # the provider's id is held by another attempt too
    NOBODYS = "nobodys"  # it counts for no person
    CLOSED = "closed"  # its alert is closed, and yet there is work to do
    AFTER_STOP = "after_stop"
    TOO_LATE = "too_late"  # opened, or sent, when its alert had no life left
    SUPPRESSED = "suppressed"  # sent to someone who had opted out
    # one person, one alert
    PERSON = "person"  # in no state, or in one that contradicts their deliveries
    SUMS = "sums"
    # what was said to us, and who did what
    UNJOINED = "unjoined"
    AUDIT = "audit"
    # the carrier's book
    LOST = "lost"  # we believe that the carrier took it; its book does not have it
    STRANGER = "stranger"  # the book has it, under an attempt that we do not know
    DENIED = "denied"  # the book has it; we believe that it was certainly not sent
    DOUBLED = "doubled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that does not add up; `subject` is the id of the delivery, person, alert, event."""

    kind: FaultKind
    subject: str
    said: str

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt, as far as the rules look at it."""

    no: int
    opened_at: int
    outcome: str | None = None
    resolution: str | None = None
    receipt: int = 0
    failed_once: bool = False
    provider_id: str | None = None

    @property
    def may_have_left(self) -> bool:
        """Whether anything may have been sent; an attempt that was resolved is judged by that."""
        if self.outcome == "unknown":
            return self.resolution != Resolution.NOT_BEGUN
        return self.outcome not in {"not_begun", "deferred", "refused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A delivery with its attempts in order, and what its alert allows."""

    id: str
    work: Work
    attempts: int
    due: bool
    response: bool
    peopled: bool
    closed: bool
    stopped_at: int | None
    expires_at: int
    suppressed_at: int | None
    held: bool = False  # by a cap, before an attempt was made
    tried: Sequence[Tried] = ()


def faults_of(kept: Kept, now: int) -> Iterator[Fault]:
    """Yield what is wrong with one delivery; nothing is what there should be."""
    for kind, said in (
        *_of_numbers(kept),
        *_of_work(kept),
        *_of_times(kept, now),
    ):
        yield Fault(kind=kind, subject=kept.id, said=said)


def _of_numbers(kept: Kept) -> Iterator[tuple[FaultKind, str]]:
    numbers = [tried.no for tried in kept.tried]
    if numbers != list(range(1, kept.attempts + 1)):
        yield FaultKind.ATTEMPTS, f"it counts {kept.attempts} attempts and has {numbers[-5:]}"
    if not kept.peopled:
        yield FaultKind.NOBODYS, "it counts for no person"
    if any(tried.resolution and tried.outcome != "unknown" for tried in kept.tried):
        yield FaultKind.WORK, "an attempt was resolved that was not unknown"


def _of_work(kept: Kept) -> Iterator[tuple[FaultKind, str]]:
    latest = kept.tried[-1] if kept.tried else None
    if not _fits(kept, latest):
        stands = f"{latest.outcome}/{latest.resolution}" if latest else "there is none"
        yield FaultKind.WORK, f"it is {kept.work}, its latest attempt {stands}"
    if any(tried.outcome is None for tried in kept.tried[:-1]):
        yield FaultKind.WORK, "an attempt is open that is not the latest"
    if kept.due != (kept.work is Work.RETRY_WAIT):
        yield FaultKind.DUE, f"it is {kept.work}, {'with' if kept.due else 'without'} a due time"
    if kept.closed and kept.work in {Work.PENDING, Work.ATTEMPTING, Work.RETRY_WAIT}:
        yield FaultKind.CLOSED, f"it is {kept.work}, and its alert is closed"


def _of_times(kept: Kept, now: int) -> Iterator[tuple[FaultKind, str]]:
    for tried in kept.tried:
        if tried.outcome is None and tried.opened_at < now - OPEN_AT_MOST:
            open_for = (now - tried.opened_at) // seconds(1)
            yield FaultKind.OPEN_TOO_LONG, f"attempt {tried.no} is open for {open_for} s"
        if kept.stopped_at is not None and tried.opened_at > kept.stopped_at:
            yield FaultKind.AFTER_STOP, f"attempt {tried.no} was opened after the stop"
        if tried.opened_at > kept.expires_at - seconds(LEAST_LIFE):
            yield FaultKind.TOO_LATE, f"attempt {tried.no} was opened at the end of its life"
        opted_out_at = kept.suppressed_at if tried.may_have_left else None
        if opted_out_at is not None and tried.opened_at > opted_out_at + SLACK:
            yield FaultKind.SUPPRESSED, f"attempt {tried.no} went to someone who had opted out"


def _fits(kept: Kept, latest: Tried | None) -> bool:
    """Tell whether its latest attempt can have left the delivery where it stands."""
    if kept.work is Work.SETTLED:
        return kept.response or any(_handed_over(tried) for tried in kept.tried)
    if kept.held and kept.work is Work.RETRY_WAIT:
        return latest is None or latest.outcome is not None
    if latest is None:
        return kept.work in {Work.PENDING, *_ENDED}
    return (latest.outcome, latest.resolution) in _LEAVES[kept.work] or (
        # A receipt of a transient failure, after the hand-over.
        kept.work in {Work.RETRY_WAIT, *_ENDED} and _handed_over(latest) and latest.failed_once
    )


def _handed_over(tried: Tried) -> bool:
    return (
        tried.outcome == "accepted" or tried.resolution == Resolution.SETTLED or tried.receipt > 0
    )


_ENDED = frozenset({Work.SUPPRESSED, Work.EXPIRED, Work.STOPPED})
#: An attempt's outcome and resolution, as they stand.
_Stands = tuple[str | None, str | None]
_NOT_BEGUN: set[_Stands] = {("not_begun", None), ("unknown", Resolution.NOT_BEGUN)}
_TO_REPEAT: set[_Stands] = {("deferred", None), ("unknown", Resolution.REPEAT)}
#: What failed for good may be asked for again (ledger.dead_letters).
_REPLAYED: set[_Stands] = {("refused", None), ("unknown", Resolution.FAILED)}
_LEAVES: Mapping[Work, set[_Stands]] = MappingProxyType(
    {
        Work.PENDING: _NOT_BEGUN,
        Work.ATTEMPTING: {(None, None)},
        Work.RETRY_WAIT: _TO_REPEAT | _REPLAYED | {("unknown", Resolution.NOT_BEGUN)},
        Work.UNKNOWN: {("unknown", None)},
        # Repeats may be used up.
        Work.FAILED: _REPLAYED | _TO_REPEAT,
        Work.SUPPRESSED: _NOT_BEGUN | _TO_REPEAT | _REPLAYED,
        Work.EXPIRED: _NOT_BEGUN | _TO_REPEAT | _REPLAYED,
        Work.STOPPED: _NOT_BEGUN | _TO_REPEAT | _REPLAYED,
    }
)
