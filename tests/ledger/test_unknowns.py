"""Unknowns are declared for the dead and the late alone, and asked about by one at a time."""

import asyncio
from typing import Any

from sqlalchemy import update

from kentongan.clock import seconds
from kentongan.delivery import State, Work
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.outcome import Reason
from kentongan.settling import LONGEST_OPEN
from ledger import leases, unknowns
from ledger.engine import WORKER_PATIENCE, Ledger
from ledger.schema import attempts
from ledger.settle import Settled, settle
from ledger.unknowns import Open
from tests.fakes import asked

UNKNOWN = {"outcome": "unknown", "ask_at": 1}


async def begun(ledger: Ledger) -> str:
    async with ledger.write() as db:
        return await leases.begin(db, "here:1")


async def declared(ledger: Ledger, limit: int = 100) -> int:
    async with ledger.bulk() as db:
        return await unknowns.declare_unknown(db, limit)


async def due(ledger: Ledger, limit: int = 100) -> list[Open]:
    async with ledger.write() as db:
        return await unknowns.take_due(db, limit)


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
    await asked.delivery(ledger, await asked.alert(ledger), work=Work.UNKNOWN, tries=[UNKNOWN])

    assert len(await due(ledger)) == 1
    assert await due(ledger) == []
    assert [found.asks for found in await due(later)] == [2]


async def test_late_outcome_is_read_before_anyone_is_asked(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=[UNKNOWN])
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
