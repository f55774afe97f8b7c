"""What became of an unknown is decided once, and never against what came first."""

from typing import Any

import pytest
from sqlalchemy import update

from kentongan.delivery import State, Work
from kentongan.ids import AlertId, AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.receipt import RANK, ReceiptKind
from kentongan.settling import Resolution
from ledger import unknowns
from ledger.decisions import Decided, write_decisions
from ledger.engine import Ledger
from ledger.schema import deliveries
from tests.fakes import asked

UNKNOWN = {"outcome": "unknown", "ask_at": 1}
FOUND = {"by": "provider", "provider_id": "SM1", "receipt": RANK[ReceiptKind.ACCEPTED]}
DELIVERED = RANK[ReceiptKind.DELIVERED]


async def decide(ledger: Ledger, *decided: Decided) -> None:
    async with ledger.bulk() as db:
        await write_decisions(db, decided)


async def unknown_one(
    ledger: Ledger, alert: AlertId | None = None, **columns: Any
) -> tuple[AlertId, DeliveryId]:
    alert = alert or await asked.alert(ledger)
    tries = [{**UNKNOWN, **columns}]
    return alert, await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=tries)


def resolved(
    alert: AlertId, one: DeliveryId, resolution: Resolution | None, **changes: Any
) -> Decided:
    dull = {"attempt": AttemptRef(one, 1), "alert_id": alert, "by": "policy"}
    return Decided(**{**dull, "resolution": resolution, **changes})


@pytest.mark.parametrize(
    ("resolution", "changes", "work"),
    [
        (Resolution.SETTLED, {}, Work.SETTLED),
        (Resolution.NOT_BEGUN, {}, Work.PENDING),
        (Resolution.REPEAT, {"charged": True}, Work.RETRY_WAIT),
        (Resolution.REPEAT, {"charged": True, "may_repeat": False}, Work.FAILED),
        (Resolution.FAILED, {"reason": Reason.NO_REPLY}, Work.FAILED),
    ],
)
async def test_decision_moves_its_delivery(
    ledger: Ledger, resolution: Resolution, changes: dict[str, Any], work: Work
) -> None:
    alert, one = await unknown_one(ledger)

    await decide(ledger, resolved(alert, one, resolution, **changes))

    row = await asked.row_of(ledger, one)
    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (row.work, row.due_at is not None) == (work, work is Work.RETRY_WAIT)
    assert row.reason == changes.get("reason")
    assert row.tries == 1 + bool(changes.get("charged"))
    assert (attempt.outcome, attempt.resolution, attempt.ask_at) == ("unknown", resolution, None)


@pytest.mark.parametrize("resolution", [Resolution.NOT_BEGUN, Resolution.REPEAT])
async def test_nothing_is_repeated_for_an_alert_that_was_stopped(
    ledger: Ledger, resolution: Resolution
) -> None:
    alert, one = await unknown_one(ledger)
    await asked.stop(ledger, alert)

    await decide(ledger, resolved(alert, one, resolution))

    row = await asked.row_of(ledger, one)
    assert (row.work, row.reason, row.due_at) == (Work.STOPPED, Reason.STOPPED, None)


async def test_decision_is_written_once(ledger: Ledger) -> None:
    alert, one = await unknown_one(ledger)
    await decide(ledger, resolved(alert, one, Resolution.REPEAT, charged=True))

    await decide(ledger, resolved(alert, one, Resolution.FAILED, charged=True))
    await decide(
        ledger,
        resolved(alert, one, Resolution.SETTLED, provider_id="SM1", receipt=DELIVERED),
    )

    row = await asked.row_of(ledger, one)
    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (row.work, row.tries, row.receipt) == (Work.RETRY_WAIT, 2, 0)
    assert (attempt.resolution, attempt.provider_id) == (Resolution.REPEAT, None)


async def test_what_the_providers_book_says_is_adopted(ledger: Ledger) -> None:
    alert, one = await unknown_one(ledger)
    found = {"provider_id": "SM1", "receipt": DELIVERED, "ask_in": 120.0}

    await decide(ledger, resolved(alert, one, Resolution.SETTLED, **found))

    row = await asked.row_of(ledger, one)
    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (row.state, row.receipt) == (State.DELIVERED, DELIVERED)
    assert (attempt.provider_id, attempt.receipt) == ("SM1", DELIVERED)
    assert attempt.ask_at is not None  # its last receipt is polled for


async def test_id_that_an_early_receipt_brought_outlives_the_decision(ledger: Ledger) -> None:
    alert, one = await unknown_one(ledger, provider_id="SM1", receipt=40)

    await decide(ledger, resolved(alert, one, Resolution.SETTLED, receipt=40))

    assert (await asked.attempt_row(ledger, AttemptRef(one, 1))).provider_id == "SM1"


async def test_id_that_another_attempt_holds_is_known_and_never_adopted(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    held = {"outcome": "accepted", "provider_id": "SM1"}
    await asked.delivery(ledger, alert, tries=[held], address="+1")
    _, one = await unknown_one(ledger, alert)
    async with ledger.read() as db:
        assert await unknowns.held_ids(db, "sms", ["SM1", "SM2"]) == {"SM1"}

    # As if the other attempt's outcome had come between the question and this decision.
    await decide(ledger, resolved(alert, one, Resolution.SETTLED, **FOUND))

    row = await asked.row_of(ledger, one)
    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (row.work, attempt.provider_id, attempt.resolution) == (Work.UNKNOWN, None, None)
    assert attempt.ask_at is not None  # it is asked about again


async def test_two_unknowns_never_adopt_one_id(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    ones = [
        await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=[UNKNOWN], address=f"+{n}")
        for n in range(2)
    ]

    await decide(ledger, *(resolved(alert, one, Resolution.SETTLED, **FOUND) for one in ones))

    rows = [await asked.attempt_row(ledger, AttemptRef(one, 1)) for one in ones]
    assert sorted(str(row.provider_id) for row in rows) == ["None", "SM1"]


@pytest.mark.parametrize(
    ("unanswered", "asks"), [(False, 1), (True, 0)], ids=["answered", "unanswered"]
)
async def test_question_without_an_answer_does_not_count(
    ledger: Ledger, *, unanswered: bool, asks: int
) -> None:
    alert, one = await unknown_one(ledger)
    async with ledger.write() as db:
        assert len(await unknowns.take_due(db, 10)) == 1

    await decide(ledger, resolved(alert, one, None, ask_in=10.0, unanswered=unanswered))

    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (attempt.asks, attempt.resolution) == (asks, None)
    assert attempt.ask_at is not None


async def test_unknown_that_nobody_can_be_asked_about_stays_shown_as_unknown(
    ledger: Ledger,
) -> None:
    alert, one = await unknown_one(ledger)

    await decide(ledger, resolved(alert, one, None))

    assert (await asked.row_of(ledger, one)).state == State.UNKNOWN
    assert (await asked.attempt_row(ledger, AttemptRef(one, 1))).ask_at is None


async def test_who_was_reached_by_an_earlier_attempt_is_not_tried_again(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    tries = [{"outcome": "unknown", "receipt": DELIVERED}, UNKNOWN]
    one = await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=tries)
    await becomes_delivered(ledger, one)
    second = Decided(
        attempt=AttemptRef(one, 2), alert_id=alert, resolution=Resolution.REPEAT, by="policy"
    )

    await decide(ledger, second)

    row = await asked.row_of(ledger, one)
    assert (row.work, row.state) == (Work.SETTLED, State.DELIVERED)


async def becomes_delivered(ledger: Ledger, one: DeliveryId) -> None:
    """As a receipt of the first attempt leaves it that came while the second was open."""
    async with ledger.write() as db:
        await db.execute(update(deliveries).where(deliveries.c.id == one).values(receipt=DELIVERED))
