"""Receipts find their attempt and move its delivery, in any order and however often they come."""

from itertools import permutations

import pytest

from kentongan.clock import seconds
from kentongan.delivery import State, Work
from kentongan.ids import AttemptRef, DeliveryId, new_delivery_id
from kentongan.outcome import Reason
from kentongan.receipt import RANK, ReceiptKind
from ledger import events
from ledger.engine import Ledger, read_now
from ledger.responses import respond
from ledger.settle import Settled, settle
from tests.fakes import asked
from tests.fakes.receipts import ACCEPTED, ID, joined, says, sent, told


async def verdicts(ledger: Ledger) -> list[str | None]:
    return [event.verdict for event in await asked.kept(ledger)]


@pytest.mark.parametrize("at_once", [True, False])
async def test_any_order_and_repetition_end_alike(ledger: Ledger, *, at_once: bool) -> None:
    kinds = [ReceiptKind.QUEUED, ReceiptKind.SENT, ReceiptKind.FAILED, ReceiptKind.DELIVERED]

    ends = set()
    for order in permutations(kinds):
        one = await sent(ledger)
        said = [says(kind, one, transient=True) for kind in (*order, order[0])]
        await told(ledger, *said, at_once=at_once)
        row = await asked.row_of(ledger, one)
        attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
        ends.add(
            (row.state, row.work, row.reason, row.due_at, attempt.receipt, attempt.failed_once)
        )

    assert ends == {(State.DELIVERED, Work.SETTLED, None, None, RANK[ReceiptKind.DELIVERED], True)}


async def test_receipt_is_found_by_our_mark_or_else_by_the_providers_id(ledger: Ledger) -> None:
    one = await sent(ledger)

    await told(ledger, says(ReceiptKind.SENT, one), says(ReceiptKind.DELIVERED, None))

    assert (await asked.row_of(ledger, one)).state == State.DELIVERED
    assert await verdicts(ledger) == ["joined", "joined"]


async def test_receipt_before_our_own_write_finds_its_attempt(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[{}])
    await told(ledger, says(ReceiptKind.DELIVERED, one))

    async with ledger.bulk() as db:
        await settle(db, [_accepted(one, alert)])

    row = await asked.row_of(ledger, one)
    assert (row.state, row.work) == (State.DELIVERED, Work.SETTLED)
    assert (await asked.attempt_row(ledger, AttemptRef(one, 1))).provider_id == ID


async def test_failure_before_our_own_write_waits_and_is_joined_after_it(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[{}])
    failed = says(ReceiptKind.FAILED, one)
    [event] = await told(ledger, failed)
    assert await verdicts(ledger) == [None]

    async with ledger.bulk() as db:
        await settle(db, [_accepted(one, alert)])
    await joined(ledger, [(event, failed)])

    assert (await asked.row_of(ledger, one)).state == State.FAILED
    assert await verdicts(ledger) == ["joined"]


def _accepted(one: DeliveryId, alert_id: str) -> Settled:
    return Settled(
        attempt=AttemptRef(one, 1),
        alert_id=alert_id,
        channel="sms",
        outcome="accepted",
        work=Work.SETTLED,
        provider_id=ID,
        receipt=RANK[ReceiptKind.ACCEPTED],
    )


async def test_receipt_with_another_id_than_its_attempts_is_quarantined(ledger: Ledger) -> None:
    one = await sent(ledger)

    await told(ledger, says(ReceiptKind.DELIVERED, one, provider_id="SM9"))

    assert await verdicts(ledger) == ["quarantined"]
    assert (await asked.row_of(ledger, one)).state == State.ACCEPTED


@pytest.mark.parametrize("work", [Work.ATTEMPTING, Work.UNKNOWN])
async def test_id_that_another_attempt_holds_is_never_adopted(ledger: Ledger, work: Work) -> None:
    await sent(ledger)
    tries = [{} if work is Work.ATTEMPTING else {"outcome": "unknown", "ask_at": 7}]
    other = await sent(ledger, work=work, tries=tries)

    await told(ledger, says(ReceiptKind.DELIVERED, other))

    attempt = await asked.attempt_row(ledger, AttemptRef(other, 1))
    assert await verdicts(ledger) == ["quarantined"]
    assert (attempt.provider_id, attempt.receipt, attempt.resolution) == (None, 0, None)
    assert (await asked.row_of(ledger, other)).work == work


async def test_one_id_told_of_two_attempts_at_once_is_the_firsts(ledger: Ledger) -> None:
    both = [await sent(ledger, work=Work.UNKNOWN, tries=[{"outcome": "unknown"}]) for _ in "12"]

    await told(ledger, *(says(ReceiptKind.DELIVERED, one) for one in both))

    assert await verdicts(ledger) == ["joined", "quarantined"]


async def test_receipt_of_nobody_is_quarantined_and_no_receipt_is_unread(ledger: Ledger) -> None:
    await told(
        ledger,
        says(ReceiptKind.DELIVERED, new_delivery_id()),
        says(ReceiptKind.DELIVERED, None, provider_id="SM404"),
        None,
    )

    assert await verdicts(ledger) == ["quarantined", "quarantined", "unread"]


async def test_receipt_of_another_channel_is_quarantined(ledger: Ledger) -> None:
    call = await sent(ledger, channel="voice")

    await told(ledger, says(ReceiptKind.DELIVERED, call))

    assert await verdicts(ledger) == ["quarantined"]


async def test_delivered_on_the_first_attempt_ends_the_wait_for_a_second(ledger: Ledger) -> None:
    one = await sent(ledger, work=Work.RETRY_WAIT)

    await told(ledger, says(ReceiptKind.DELIVERED, one))

    row = await asked.row_of(ledger, one)
    assert (row.state, row.work, row.due_at) == (State.DELIVERED, Work.SETTLED, None)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("failure_first", [True, False])
async def test_what_one_attempt_brought_is_not_lost_by_another(
    ledger: Ledger, *, at_once: bool, failure_first: bool
) -> None:
    second = {"outcome": "accepted", "provider_id": "SM2"}
    one = await sent(ledger, tries=[ACCEPTED, second])
    said = [says(ReceiptKind.DELIVERED, one), says(ReceiptKind.FAILED, one, 2, transient=True)]

    await told(ledger, *(said[::-1] if failure_first else said), at_once=at_once)

    row = await asked.row_of(ledger, one)
    assert (row.state, row.work, row.due_at) == (State.DELIVERED, Work.SETTLED, None)


async def test_failure_of_an_earlier_attempt_says_nothing_of_the_latest(ledger: Ledger) -> None:
    one = await sent(ledger, tries=[ACCEPTED, {"outcome": "accepted", "provider_id": "SM2"}])

    await told(ledger, says(ReceiptKind.FAILED, one), says(ReceiptKind.SENT, one, 2))

    assert (await asked.row_of(ledger, one)).state == State.SENT


async def test_transient_failure_is_tried_again_by_the_schedule(ledger: Ledger) -> None:
    one = await sent(ledger)
    before = await ledger.now()

    await told(ledger, says(ReceiptKind.FAILED, one, transient=True))

    row = await asked.row_of(ledger, one)
    assert (row.state, row.work, row.reason) == (State.WAITING, Work.RETRY_WAIT, Reason.UNREACHABLE)
    assert before + seconds(30) <= row.due_at <= await ledger.now() + seconds(30)


async def test_failure_told_in_more_words_keeps_its_turn(ledger: Ledger) -> None:
    one = await sent(ledger)
    await told(ledger, says(ReceiptKind.FAILED, one, transient=True, code="30003"))
    was = await asked.row_of(ledger, one)

    await told(ledger, says(ReceiptKind.FAILED, one, transient=True, code="30005"))

    row = await asked.row_of(ledger, one)
    assert (row.work, row.due_at) == (Work.RETRY_WAIT, was.due_at)


async def test_failure_that_turns_out_to_be_for_good_is_not_tried_again(ledger: Ledger) -> None:
    one = await sent(ledger)
    await told(ledger, says(ReceiptKind.FAILED, one, transient=True, code="30003"))

    await told(ledger, says(ReceiptKind.FAILED, one, code="30006"))

    row = await asked.row_of(ledger, one)
    assert (row.state, row.work, row.due_at) == (State.FAILED, Work.SETTLED, None)


async def test_failure_for_good_is_the_end(ledger: Ledger) -> None:
    one = await sent(ledger)

    await told(ledger, says(ReceiptKind.FAILED, one))

    row = await asked.row_of(ledger, one)
    assert (row.state, row.work, row.reason) == (State.FAILED, Work.SETTLED, Reason.NO_ROUTE)


@pytest.mark.parametrize("why", ["used up", "stopped", "expired", "answered"])
async def test_transient_failure_is_not_tried_again_where_nothing_may(
    ledger: Ledger, why: str
) -> None:
    tries = [ACCEPTED] if why != "used up" else [{"outcome": "deferred"}] * 2 + [ACCEPTED]
    one = await sent(ledger, lives=20 if why == "expired" else 3600, tries=tries)
    row = await asked.row_of(ledger, one)
    if why == "stopped":
        await asked.stop(ledger, row.alert_id)
    if why == "answered":
        async with ledger.write() as db:
            await respond(db, one, "1", "page", await read_now(db))

    failed = says(ReceiptKind.FAILED, one, row.attempts, transient=True, provider_id=ID)
    await told(ledger, failed)

    row = await asked.row_of(ledger, one)
    assert (row.work, row.due_at) == (Work.SETTLED, None)
    assert row.state == (State.ACKNOWLEDGED if why == "answered" else State.FAILED)


async def test_receipt_proves_that_an_unknown_was_sent(ledger: Ledger) -> None:
    tries = [{"outcome": "unknown", "ask_at": 7, "asks": 3}]
    one = await sent(ledger, work=Work.UNKNOWN, tries=tries)

    await told(ledger, says(ReceiptKind.SENT, one))

    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (attempt.resolution, attempt.resolution_by) == ("settled", "receipt")
    # What follows may be lost: it is asked for three times, as after any hand-over.
    assert (attempt.asks, attempt.ask_at) == (0, attempt.resolution_at + seconds(120))
    assert (await asked.row_of(ledger, one)).state == State.SENT


async def test_last_receipt_of_an_unknown_leaves_nothing_to_ask(ledger: Ledger) -> None:
    tries = [{"outcome": "unknown", "ask_at": 7}]
    one = await sent(ledger, work=Work.UNKNOWN, tries=tries)

    await told(ledger, says(ReceiptKind.DELIVERED, one))

    assert (await asked.attempt_row(ledger, AttemptRef(one, 1))).ask_at is None


async def test_delivered_after_failed_shows_both(ledger: Ledger) -> None:
    one = await sent(ledger)

    await told(ledger, says(ReceiptKind.DELIVERED, one), at_once=False)
    await told(ledger, says(ReceiptKind.FAILED, one))

    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert attempt.failed_once
    assert attempt.receipt == RANK[ReceiptKind.DELIVERED]


async def test_opt_out_told_by_a_receipt_is_passed_on(ledger: Ledger) -> None:
    one = await sent(ledger)
    failed = says(ReceiptKind.FAILED, one, reason=Reason.OPTED_OUT)
    async with ledger.write() as db:
        event = await events.keep(db, channel="sms", kind="status", payload={})

    done = await joined(ledger, [(event, failed)])

    assert done.opted_out == [("sms", asked.PHONE)]
