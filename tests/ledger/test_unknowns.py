"""The unknown: declared for the dead and the late alone, asked about by one, decided once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from kentongan.clock import seconds
from kentongan.delivery import State, Work
from kentongan.ids import AlertId, AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.receipt import RANK, ReceiptKind
from kentongan.settling import LONGEST_OPEN, Resolution
from ledger import leases, unknowns
from ledger.decisions import Decided, write_decisions
from ledger.engine import WORKER_PATIENCE, Ledger
from ledger.schema import attempts, deliveries
from ledger.settle import Settled, settle
from ledger.unknowns import Open
from tests.fakes import asked

UNKNOWN = {"outcome": "unknown", "ask_at": 1}
FOUND = {"by": "provider", "provider_id": "SM1", "receipt": RANK[ReceiptKind.ACCEPTED]}
DELIVERED = RANK[ReceiptKind.DELIVERED]


async def begun(ledger: Ledger) -> str:
    async with ledger.write() as db:
        return await leases.begin(db, "here:1")


async def declared(ledger: Ledger, limit: int = 100) -> int:
    async with ledger.bulk() as db:
        return await unknowns.declare_unknown(db, limit)


async def due(ledger: Ledger, limit: int = 100) -> list[Open]:
    async with ledger.write() as db:
        return await unknowns.take_due(db, limit)


async def decide(ledger: Ledger, *decided: Decided) -> None:
    async with ledger.bulk() as db:
        await write_decisions(db, decided)


async def open_one(
    ledger: Ledger, worker: str | None = None, *, age: float = 0, **changes: Any
) -> DeliveryId:
    """Write down a delivery whose only attempt is open, by a worker that nobody knows or by one."""
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[{}], **changes)
    async with ledger.write() as db:
        opened_at = attempts.c.opened_at - seconds(age)
        whose = {"worker": worker} if worker else {}
        await db.execute(
            update(attempts)
            .where(attempts.c.delivery_id == one)
            .values(opened_at=opened_at, **whose)
        )
    return one


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


async def test_open_attempt_of_a_living_worker_is_left_alone(ledger: Ledger) -> None:
    one = await open_one(ledger, await begun(ledger), age=LONGEST_OPEN.total_seconds() - 5)

    assert await declared(ledger) == 0
    assert (await asked.row_of(ledger, one)).work == Work.ATTEMPTING


async def test_open_attempt_of_a_dead_worker_turns_unknown_and_not_pending(ledger: Ledger) -> None:
    worker = await begun(ledger)
    one = await open_one(ledger, worker)
    async with ledger.write() as db:
        await leases.end(db, worker)

    assert await declared(ledger) == 1

    row = await asked.row_of(ledger, one)
    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (row.work, row.state, row.reason) == (Work.UNKNOWN, State.UNKNOWN, Reason.WORKER_DIED)
    assert attempt.outcome == "unknown"
    assert attempt.ask_at == attempt.outcome_at + seconds(2)
    assert await declared(ledger) == 0


async def test_attempt_open_for_more_than_a_minute_is_unknown_whoever_lives(ledger: Ledger) -> None:
    await open_one(ledger, await begun(ledger), age=LONGEST_OPEN.total_seconds() + 1)

    assert await declared(ledger) == 1


async def test_attempt_with_an_outcome_is_never_declared_unknown(ledger: Ledger) -> None:
    await asked.delivery(ledger, await asked.alert(ledger), tries=[{"outcome": "accepted"}])

    assert await declared(ledger) == 0


async def test_declaring_goes_in_pages(ledger: Ledger) -> None:
    for n in range(5):
        await open_one(ledger, address=f"+{n}")

    assert [await declared(ledger, 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_settle_and_declaration_of_one_attempt_leave_one_outcome(ledger: Ledger) -> None:
    ones = [await open_one(ledger, address=f"+{n}") for n in range(20)]
    accepted = [
        Settled(
            attempt=AttemptRef(one, 1),
            alert_id=(await asked.row_of(ledger, one)).alert_id,
            channel="sms",
            outcome="accepted",
            work=Work.SETTLED,
            provider_id=f"SM{n}",
        )
        for n, one in enumerate(ones)
    ]

    async def settled(page: list[Settled]) -> int:
        async with ledger.bulk() as db:
            return await settle(db, page)

    late, declared_, more = await asyncio.gather(
        settled(accepted[:10]), declared(ledger), settled(accepted[10:])
    )

    works = [(await asked.row_of(ledger, one)).work for one in ones]
    assert works.count(Work.UNKNOWN) == late + more == len(await asked.kept(ledger))
    assert works.count(Work.SETTLED) == 20 - late - more
    assert declared_ == late + more


async def test_due_attempt_is_handed_to_one_asker(ledger: Ledger, url: str) -> None:
    alert = await asked.alert(ledger)
    for n in range(30):
        await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=[UNKNOWN], address=f"+{n}")
    askers = [Ledger.open(url, patience=WORKER_PATIENCE) for _ in range(3)]

    pages = await asyncio.gather(*(due(one, 20) for one in askers))
    rest = await due(ledger)
    for one in askers:
        await one.close()

    taken = [attempt.attempt for page in (*pages, rest) for attempt in page]
    assert len(taken) == len(set(taken)) == 30
    assert await due(ledger) == []


async def test_attempt_taken_up_says_what_is_known_of_it(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    dead = {**UNKNOWN, "reason": Reason.WORKER_DIED, "receipt": 40}
    await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=[dead])

    [found] = await due(ledger)

    assert (found.alert_id, found.channel, found.address) == (alert, "sms", asked.PHONE)
    assert (found.is_unknown, found.worker_died, found.receipt) == (True, True, 40)
    assert found.asks == 1  # this time counts


async def test_handed_over_attempt_without_a_last_receipt_is_taken_up_too(ledger: Ledger) -> None:
    polled = {"outcome": "accepted", "provider_id": "SM1", "ask_at": 1}
    await asked.delivery(ledger, await asked.alert(ledger), tries=[polled])

    [found] = await due(ledger)

    assert (found.is_unknown, found.provider_id) == (False, "SM1")


async def test_asker_that_dies_holds_it_up_and_does_not_lose_it(
    ledger: Ledger, later: Ledger
) -> None:
    await unknown_one(ledger)

    assert len(await due(ledger)) == 1
    assert await due(ledger) == []
    assert [found.asks for found in await due(later)] == [2]


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
    await due(ledger)

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


async def test_late_outcome_is_read_before_anyone_is_asked(ledger: Ledger) -> None:
    alert, one = await unknown_one(ledger)
    late = Settled(
        attempt=AttemptRef(one, 1),
        alert_id=alert,
        channel="sms",
        outcome="refused",
        work=Work.FAILED,
        reason=Reason.NO_ROUTE,
    )
    async with ledger.bulk() as db:
        assert await settle(db, [late]) == 1

    async with ledger.read() as db:
        found = await unknowns.late_outcomes(db, [AttemptRef(one, 1), AttemptRef(one, 2)])

    assert set(found) == {AttemptRef(one, 1)}
    assert found[AttemptRef(one, 1)]["reason"] == Reason.NO_ROUTE
