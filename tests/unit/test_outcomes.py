"""What an outcome makes of its delivery: the rules between a channel's answer and the ledger."""

from datetime import timedelta

import pytest
from typing_extensions import override

from kentongan.delivery import Work
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.outcome import (
    Accepted,
    Deferred,
    NotBegun,
    Outcome,
    Reason,
    Refused,
    Unknown,
)
from kentongan.receipt import RANK, Receipt, ReceiptKind
from kentongan.settling import ASK_AFTER, POLL_AFTER
from ledger.claims import Claimed
from ledger.settle import Settled
from tests.fakes.hands import DullChannel
from tests.fakes.running import an_alert
from workers.outcomes import can_fetch, can_find, settled_of

REF = AttemptRef(DeliveryId("dlv_1"), 2)


class Fetching(DullChannel):
    @override
    async def fetch(self, provider_id: str) -> Receipt | None:
        return None


def settled(outcome: Outcome, *, tries: int = 1, channel: DullChannel | None = None) -> Settled:
    claimed = Claimed(attempt=REF, address="+1", name="", locale="en", units=1, tries=tries)
    return settled_of(an_alert(0), channel or DullChannel(), claimed, outcome)


def test_accepted_is_settled_and_charged() -> None:
    found = settled(Accepted("SM1"))

    assert (found.attempt, found.channel, found.outcome) == (REF, "sms", "accepted")
    assert (found.work, found.charged, found.tries) == (Work.SETTLED, True, 1)
    assert (found.provider_id, found.receipt) == ("SM1", RANK[ReceiptKind.ACCEPTED])
    assert found.ask_in is None  # nobody can be asked


@pytest.mark.parametrize(
    ("outcome", "polled"),
    [
        (Accepted("SM1"), True),
        (Accepted("SM1", ReceiptKind.SENT), True),
        (Accepted("SM1", ReceiptKind.DELIVERED), False),
        (Accepted(None), False),
    ],
)
def test_receipt_is_polled_for_where_one_may_yet_come(outcome: Accepted, *, polled: bool) -> None:
    found = settled(outcome, channel=Fetching())

    assert found.ask_in == (POLL_AFTER[0].total_seconds() if polled else None)


def test_deferred_waits_and_is_charged() -> None:
    found = settled(Deferred(Reason.UNREACHABLE, "away"), tries=1)

    assert (found.work, found.due_in, found.charged) == (Work.RETRY_WAIT, 30.0, True)
    assert (found.reason, found.detail) == (Reason.UNREACHABLE, "away")


def test_deferred_follows_the_providers_wish() -> None:
    asked = Deferred(Reason.THROTTLED, retry_after=timedelta(seconds=90), counted=False)

    assert settled(asked).due_in == 90


def test_last_try_that_is_deferred_has_failed() -> None:
    found = settled(Deferred(Reason.BUSY), tries=2)

    assert (found.work, found.due_in, found.reason) == (Work.FAILED, None, Reason.BUSY)


def test_what_is_no_fault_of_the_message_is_not_charged_and_never_uses_it_up() -> None:
    found = settled(Deferred(Reason.THROTTLED, counted=False), tries=9)

    assert (found.work, found.charged, found.tries) == (Work.RETRY_WAIT, False, 9)


def test_fault_of_our_account_waits_for_the_probe_and_uses_nothing_up() -> None:
    found = settled(Deferred(Reason.ACCOUNT, counted=False), tries=9)

    assert (found.work, found.charged) == (Work.RETRY_WAIT, False)
    assert found.due_in is not None


def test_refused_has_failed() -> None:
    found = settled(Refused(Reason.NO_ROUTE, "30006"))

    assert (found.work, found.charged) == (Work.FAILED, True)
    assert (found.reason, found.detail) == (Reason.NO_ROUTE, "30006")


def test_unknown_is_asked_about_and_not_charged() -> None:
    found = settled(Unknown(Reason.NO_REPLY, "", "SM1"))

    assert (found.work, found.charged, found.provider_id) == (Work.UNKNOWN, False, "SM1")
    assert found.ask_in == ASK_AFTER[0].total_seconds()


@pytest.mark.parametrize(
    ("reason", "work"),
    [
        (Reason.HANDED_BACK, Work.PENDING),
        (Reason.LEASE_LOST, Work.PENDING),
        (Reason.PAUSED, Work.PENDING),
        (Reason.STOPPED, Work.STOPPED),
        (Reason.EXPIRED, Work.EXPIRED),
        (Reason.SUPPRESSED, Work.SUPPRESSED),
    ],
)
def test_what_was_not_begun_counts_as_never_tried(reason: Reason, work: Work) -> None:
    found = settled(NotBegun(reason))

    assert (found.outcome, found.work, found.charged) == ("not_begun", work, False)
    assert found.reason == (None if work is Work.PENDING else reason)
    assert found.due_in is None


def test_providers_words_are_kept_as_far_as_a_database_takes_them() -> None:
    found = settled(Unknown(Reason.GARBLED_REPLY, "a\0b\ud800" + "x" * 5000, "SM\0\udfff"))

    assert found.detail.startswith("ab?xxx")
    assert len(found.detail) == 1000
    assert found.provider_id == "SM?"


def test_whom_we_can_ask_is_told_by_what_the_channel_can() -> None:
    assert not can_find(DullChannel())
    assert not can_fetch(DullChannel())
    assert can_fetch(Fetching())
