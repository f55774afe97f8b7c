"""An outcome is written once, against what was stopped, answered or received meanwhile."""

import asyncio
from typing import Any

import pytest

from kentongan.clock import seconds
from kentongan.delivery import State, Work
from kentongan.ids import AlertId, AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.receipt import RANK, Receipt, ReceiptKind
from kentongan.settling import Resolution
from ledger import events
from ledger.dialect import is_postgresql
from ledger.engine import Ledger, read_now
from ledger.receipts import EventReceipt, join
from ledger.responses import respond
from ledger.settle import Settled, settle
from tests.fakes import asked

DELIVERED, ACCEPTED = RANK[ReceiptKind.DELIVERED], RANK[ReceiptKind.ACCEPTED]

OUTCOMES: dict[str, dict[str, Any]] = {
    "accepted": {"work": Work.SETTLED, "provider_id": "SM1", "receipt": ACCEPTED, "charged": True},
    "deferred": {
        "work": Work.RETRY_WAIT,
        "reason": Reason.UNREACHABLE,
        "due_in": 30.0,
        "charged": True,
    },
    "refused": {"work": Work.FAILED, "reason": Reason.NO_ROUTE, "charged": True},
    "unknown": {"work": Work.UNKNOWN, "reason": Reason.NO_REPLY, "ask_in": 2.0},
    "not_begun": {"work": Work.PENDING},
}


def outcome(alert: AlertId, one: DeliveryId, kind: str, *, no: int = 1, **changes: Any) -> Settled:
    dull = {"attempt": AttemptRef(one, no), "alert_id": alert, "channel": "sms", "outcome": kind}
    return Settled(**{**dull, **OUTCOMES[kind], **changes})


async def written(ledger: Ledger, *settled: Settled) -> int:
    async with ledger.bulk() as db:
        return await settle(db, settled)


async def attempting(ledger: Ledger, alert: AlertId, *before: Any, **changes: Any) -> DeliveryId:
    """Write down a delivery whose latest attempt is open; `before` are earlier ones."""
    return await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[*before, {}], **changes)


async def received(ledger: Ledger, one: DeliveryId, kind: ReceiptKind, **changes: Any) -> None:
    dull = {"kind": kind, "attempt": AttemptRef(one, 1), "provider_id": "SM1", "word": str(kind)}
    async with ledger.bulk() as db:
        event = await events.keep(db, channel="sms", kind="status", payload={})
        receipt = Receipt(**{**dull, **changes})
        await join(db, [EventReceipt(event=event, channel="sms", receipt=receipt)], {})


@pytest.mark.parametrize(
    ("kind", "state", "tries"),
    [
        ("accepted", State.ACCEPTED, 1),
        ("deferred", State.WAITING, 1),
        ("refused", State.FAILED, 1),
        ("unknown", State.UNKNOWN, 0),
        ("not_begun", State.WAITING, 0),
    ],
)
async def test_outcome_moves_its_delivery(
    ledger: Ledger, kind: str, state: State, tries: int
) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert)

    late = await written(ledger, outcome(alert, one, kind))

    row = await asked.row_of(ledger, one)
    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert late == 0
    assert (row.state, row.tries, row.reason) == (state, tries, OUTCOMES[kind].get("reason"))
    assert (row.due_at is not None) is (kind == "deferred")
    assert (attempt.outcome, attempt.ask_at is not None) == (kind, kind == "unknown")


async def test_many_outcomes_are_written_at_once(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    ones = [await attempting(ledger, alert, address=f"+{n}") for n in range(10)]
    kinds = [list(OUTCOMES)[n % 5] for n in range(10)]

    await written(ledger, *(outcome(alert, o, k) for o, k in zip(ones, kinds, strict=True)))

    works = [(await asked.row_of(ledger, one)).work for one in ones]
    assert works == [OUTCOMES[kind]["work"] for kind in kinds]


async def test_outcome_is_written_once_and_the_second_is_kept_as_late(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert)
    await written(ledger, outcome(alert, one, "refused"))

    late = await written(ledger, outcome(alert, one, "accepted"))

    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    [event] = await asked.kept(ledger)
    assert late == 1
    assert (await asked.row_of(ledger, one)).state == State.FAILED
    assert (attempt.outcome, attempt.provider_id) == ("refused", None)
    assert (event.kind, event.delivery_id, event.no) == ("late_outcome", one, 1)
    assert event.payload["outcome"] == "accepted"
    assert event.payload["provider_id"] == "SM1"
    assert event.joined_at is not None  # the settler reads it; there is nothing to join


async def test_late_outcome_moves_no_later_attempt(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert, {"outcome": "unknown"})

    await written(ledger, outcome(alert, one, "refused", no=1))

    assert (await asked.row_of(ledger, one)).work == Work.ATTEMPTING
    assert (await asked.attempt_row(ledger, AttemptRef(one, 2))).outcome is None


async def test_hand_back_whose_attempt_turned_unknown_is_kept_as_late(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=[{"outcome": "unknown"}])

    assert await written(ledger, outcome(alert, one, "not_begun")) == 1

    assert (await asked.row_of(ledger, one)).work == Work.UNKNOWN


@pytest.mark.parametrize("kind", ["deferred", "not_begun"])
async def test_what_would_wait_is_stopped_where_a_stop_came_between(
    ledger: Ledger, kind: str
) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert)
    await asked.stop(ledger, alert)

    await written(ledger, outcome(alert, one, kind))

    row = await asked.row_of(ledger, one)
    assert (row.work, row.reason, row.due_at) == (Work.STOPPED, Reason.STOPPED, None)


@pytest.mark.parametrize("kind", ["accepted", "refused", "unknown"])
async def test_what_became_clear_or_unclear_stays_so_after_a_stop(
    ledger: Ledger, kind: str
) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert)
    await asked.stop(ledger, alert)

    await written(ledger, outcome(alert, one, kind))

    assert (await asked.row_of(ledger, one)).work == OUTCOMES[kind]["work"]


async def test_no_retry_is_due_after_the_alert_expired(ledger: Ledger) -> None:
    alert = await asked.alert(ledger, lives=60)
    one = await attempting(ledger, alert)

    await written(ledger, outcome(alert, one, "deferred", due_in=51.0))

    row = await asked.row_of(ledger, one)
    assert (row.work, row.reason) == (Work.EXPIRED, Reason.UNREACHABLE)


async def test_receipt_that_came_before_our_own_write_survives_it(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert)
    await received(ledger, one, ReceiptKind.DELIVERED)

    await written(ledger, outcome(alert, one, "accepted"))

    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    row = await asked.row_of(ledger, one)
    assert (row.state, row.receipt, row.work) == (State.DELIVERED, DELIVERED, Work.SETTLED)
    assert (attempt.receipt, attempt.provider_id) == (DELIVERED, "SM1")


async def test_early_receipt_proves_that_an_unknown_was_sent(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert)
    await received(ledger, one, ReceiptKind.SENT)

    await written(ledger, outcome(alert, one, "unknown"))

    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    row = await asked.row_of(ledger, one)
    assert (row.state, row.reason) == (State.SENT, None)
    assert (attempt.outcome, attempt.resolution, attempt.resolution_by, attempt.ask_at) == (
        "unknown",
        Resolution.SETTLED,
        "receipt",
        attempt.outcome_at + seconds(120),  # for the receipts that may be lost
    )
    assert attempt.provider_id == "SM1"  # what the receipt brought is not lost


@pytest.mark.parametrize("kind", ["deferred", "not_begun", "unknown"])
async def test_who_was_reached_by_an_earlier_attempt_is_not_tried_again(
    ledger: Ledger, kind: str
) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert, {"outcome": "unknown", "provider_id": "SM1"})
    await received(ledger, one, ReceiptKind.DELIVERED)

    await written(ledger, outcome(alert, one, kind, no=2))

    row = await asked.row_of(ledger, one)
    assert (row.work, row.state, row.due_at) == (Work.SETTLED, State.DELIVERED, None)


@pytest.mark.parametrize("kind", ["deferred", "not_begun", "unknown"])
async def test_who_answered_meanwhile_is_not_tried_again(ledger: Ledger, kind: str) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert)
    async with ledger.write() as db:
        await respond(db, one, "1", via="page", now=await read_now(db))

    await written(ledger, outcome(alert, one, kind))

    row = await asked.row_of(ledger, one)
    assert (row.work, row.state) == (Work.SETTLED, State.ACKNOWLEDGED)


async def test_receipt_of_an_earlier_attempt_joined_beside_the_settle_is_kept(
    ledger: Ledger,
) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert, {"outcome": "unknown", "provider_id": "SM1"})

    async with ledger.write() as db:
        event = await events.keep(db, channel="sms", kind="status", payload={})
        settling = None
        if is_postgresql(db):
            receipt = Receipt(
                kind=ReceiptKind.DELIVERED, attempt=AttemptRef(one, 1), provider_id="SM1"
            )
            await join(db, [EventReceipt(event=event, channel="sms", receipt=receipt)], {})
            settling = asyncio.create_task(
                written(ledger, outcome(alert, one, "accepted", no=2, provider_id="SM2"))
            )
            await _until_somebody_waits(ledger)
    if settling is None:
        pytest.skip("SQLite has one writer at a time")
    await settling

    row = await asked.row_of(ledger, one)
    assert (row.work, row.state) == (Work.SETTLED, State.DELIVERED)


async def _until_somebody_waits(ledger: Ledger) -> None:
    """Return once a session waits for a lock."""
    async with asyncio.timeout(10):
        while True:
            async with ledger.read() as db:
                waits = await db.exec_driver_sql("SELECT 1 FROM pg_locks WHERE NOT granted")
                if waits.first():
                    return
            await asyncio.sleep(0.01)


async def test_who_is_reached_while_a_later_attempt_was_handed_back_is_not_tried_again(
    ledger: Ledger,
) -> None:
    alert = await asked.alert(ledger)
    one = await attempting(ledger, alert, {"outcome": "accepted", "provider_id": "SM1"})
    other = await attempting(ledger, alert, {"outcome": "accepted"}, address="+62811")
    await written(ledger, outcome(alert, one, "not_begun", no=2))
    await written(ledger, outcome(alert, other, "not_begun", no=2))

    await received(ledger, one, ReceiptKind.DELIVERED)
    async with ledger.write() as db:
        await respond(db, other, "1", via="page", now=await read_now(db))

    assert (await asked.row_of(ledger, one)).work == Work.SETTLED
    assert (await asked.row_of(ledger, other)).work == Work.SETTLED
