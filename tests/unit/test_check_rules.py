"""What of a delivery and its attempts cannot be, is found; all that can be is let pass."""

from typing import Any

import pytest

from kentongan.clock import seconds
from kentongan.delivery import Work
from ledger.check_rules import OPEN_AT_MOST, FaultKind, Kept, Tried, faults_of

NOW = seconds(1_000_000)


def kept(work: Work, *tried: Tried, **changes: Any) -> Kept:
    dull: dict[str, Any] = {
        "id": "dlv_1",
        "work": work,
        "attempts": len(tried),
        "due": work is Work.RETRY_WAIT,
        "response": False,
        "peopled": True,
        "closed": False,
        "stopped_at": None,
        "expires_at": NOW + seconds(3600),
        "suppressed_at": None,
        "tried": tried,
    }
    return Kept(**dull | changes)


def attempt(no: int = 1, outcome: str | None = None, **parts: Any) -> Tried:
    return Tried(**{"no": no, "opened_at": NOW - seconds(5), "outcome": outcome, **parts})


def kinds(of: Kept) -> list[FaultKind]:
    return [fault.kind for fault in faults_of(of, NOW)]


ACCEPTED = attempt(outcome="accepted")


@pytest.mark.parametrize(
    "good",
    [
        kept(Work.PENDING),
        kept(Work.PENDING, attempt(outcome="not_begun")),
        kept(Work.PENDING, attempt(outcome="unknown", resolution="not_begun")),
        kept(Work.ATTEMPTING, attempt()),
        kept(Work.SETTLED, ACCEPTED),
        kept(Work.SETTLED, ACCEPTED, attempt(2, "deferred")),  # the first one's receipt came late
        kept(Work.SETTLED, attempt(outcome="deferred"), response=True),
        kept(Work.SETTLED, attempt(outcome="unknown", resolution="settled")),
        kept(Work.RETRY_WAIT, attempt(outcome="deferred")),
        kept(Work.RETRY_WAIT, attempt(outcome="unknown", resolution="repeat")),
        kept(Work.RETRY_WAIT, attempt(outcome="accepted", failed_once=True)),
        kept(Work.UNKNOWN, attempt(outcome="unknown")),
        kept(Work.FAILED, attempt(outcome="refused")),
        kept(Work.FAILED, attempt(outcome="deferred")),  # repeats are used up
        kept(Work.FAILED, attempt(outcome="unknown", resolution="failed")),
        kept(Work.STOPPED),
        kept(Work.EXPIRED, attempt(outcome="deferred"), closed=True),
        kept(Work.SUPPRESSED, attempt(outcome="not_begun"), suppressed_at=1),
    ],
)
def test_what_can_be_is_no_fault(good: Kept) -> None:
    assert kinds(good) == []


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (kept(Work.SETTLED), FaultKind.WORK),
        (kept(Work.SETTLED, attempt(outcome="refused")), FaultKind.WORK),
        (kept(Work.ATTEMPTING, ACCEPTED), FaultKind.WORK),
        (kept(Work.ATTEMPTING), FaultKind.WORK),
        (kept(Work.PENDING, attempt()), FaultKind.WORK),
        (kept(Work.PENDING, ACCEPTED), FaultKind.WORK),
        (kept(Work.UNKNOWN, ACCEPTED), FaultKind.WORK),
        (kept(Work.STOPPED, attempt()), FaultKind.WORK),
        (kept(Work.FAILED, attempt(), attempt(2, "refused")), FaultKind.WORK),
        (kept(Work.FAILED, attempt(outcome="refused", resolution="failed")), FaultKind.WORK),
        (kept(Work.SETTLED, ACCEPTED, attempts=2), FaultKind.ATTEMPTS),
        (kept(Work.SETTLED, attempt(2, "accepted"), attempts=2), FaultKind.ATTEMPTS),
        (kept(Work.PENDING, peopled=False), FaultKind.NOBODYS),
        (kept(Work.PENDING, due=True), FaultKind.DUE),
        (kept(Work.RETRY_WAIT, attempt(outcome="deferred"), due=False), FaultKind.DUE),
        (kept(Work.PENDING, closed=True), FaultKind.CLOSED),
        (
            kept(Work.ATTEMPTING, attempt(opened_at=NOW - OPEN_AT_MOST - 1)),
            FaultKind.OPEN_TOO_LONG,
        ),
        (kept(Work.SETTLED, ACCEPTED, stopped_at=NOW - seconds(6)), FaultKind.AFTER_STOP),
        (kept(Work.SETTLED, ACCEPTED, expires_at=NOW), FaultKind.TOO_LATE),
        (kept(Work.SETTLED, ACCEPTED, suppressed_at=NOW - seconds(9)), FaultKind.SUPPRESSED),
    ],
)
def test_what_cannot_be_is_found(bad: Kept, kind: FaultKind) -> None:
    assert kind in kinds(bad)


def test_attempt_opened_before_the_stop_may_end_after_it() -> None:
    assert kinds(kept(Work.SETTLED, ACCEPTED, stopped_at=NOW - seconds(4))) == []
