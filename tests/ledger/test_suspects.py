"""What was open when a worker died flies apart from the rest, so that only what kills is blamed."""

import pytest
from sqlalchemy import update

from kentongan.delivery import Work
from kentongan.ids import AttemptRef
from kentongan.settling import Resolution
from ledger import decisions, leases, unknowns
from ledger.claims import SUSPECTS, Window, claim
from ledger.decisions import Decided
from ledger.engine import Ledger, read_now
from ledger.schema import attempts
from ledger.settle import Settled, settle
from tests.fakes import asked
from tests.fakes.running import Running, becomes, expanded


async def crowd(ledger: Ledger, count: int) -> Running:
    people = {f"person {n}": [("sms", f"+{n}")] for n in range(count)}
    return await expanded(ledger, people, channels=("sms",))


async def lost(ledger: Ledger, running: Running, addresses: range, deaths: int) -> None:
    """Leave deliveries as ones that are due again after so many deaths."""
    async with ledger.read() as db:
        now = await read_now(db)
    for n in addresses:
        parts = {"work": Work.RETRY_WAIT, "due_at": now, "deaths": deaths}
        await becomes(ledger, running.delivery(f"+{n}"), **parts)


async def claimed(ledger: Ledger, running: Running, worker: str = "wrk_" + "0" * 26) -> Window:
    async with ledger.write() as db:
        return await claim(
            db, alert_id=running.alert.id, channel="sms", sender="+1500", worker=worker, limit=100
        )


def addresses(window: Window) -> set[str]:
    return {one.address for one in window.claimed}


async def test_after_one_death_few_are_opened_at_once_and_nobody_else_with_them(
    ledger: Ledger,
) -> None:
    running = await crowd(ledger, 40)
    await lost(ledger, running, range(20), deaths=1)

    first, second, third = [await claimed(ledger, running) for _ in range(3)]

    suspects = {f"+{n}" for n in range(20)}
    assert len(addresses(first)) == SUSPECTS
    assert addresses(first) | addresses(second) == suspects
    assert addresses(third) == {f"+{n}" for n in range(20, 40)}


async def test_after_two_deaths_one_is_opened_and_no_other_such_beside_it(ledger: Ledger) -> None:
    running = await crowd(ledger, 10)
    await lost(ledger, running, range(3), deaths=2)
    await lost(ledger, running, range(3, 5), deaths=1)

    alone, few, rest = [await claimed(ledger, running) for _ in range(3)]

    assert len(addresses(alone)) == 1
    assert addresses(few) == {"+3", "+4"}
    assert addresses(rest) == {f"+{n}" for n in range(5, 10)}
    [one] = alone.claimed
    await becomes(ledger, one.attempt.delivery_id, work=Work.SETTLED)
    assert len(addresses(await claimed(ledger, running))) == 1


@pytest.mark.parametrize("dies", [True, False])
async def test_only_an_attempt_lost_with_its_worker_counts_as_a_death(
    ledger: Ledger, *, dies: bool
) -> None:
    running = await crowd(ledger, 1)
    async with ledger.write() as db:
        worker = await leases.begin(db, "here")
    [one] = (await claimed(ledger, running, worker)).claimed
    async with ledger.write() as db:
        if dies:
            await leases.end(db, worker)
        else:  # it lives, and has been at it for too long
            await db.execute(update(attempts).values(opened_at=1))
        assert await unknowns.declare_unknown(db, 10) == 1

    row = await asked.row_of(ledger, one.attempt.delivery_id)
    assert (row.work, row.deaths) == (Work.UNKNOWN, int(dies))


async def test_suspect_that_was_never_begun_waits_apart_from_what_was_never_tried(
    ledger: Ledger,
) -> None:
    running = await crowd(ledger, 1)
    [one] = (await claimed(ledger, running)).claimed
    async with ledger.write() as db:
        await unknowns.declare_unknown(db, 10)
        await decisions.write_decisions(db, [not_begun(running, one.attempt)])

    row = await asked.row_of(ledger, one.attempt.delivery_id)
    assert (row.work, row.deaths) == (Work.RETRY_WAIT, 1)
    assert addresses(await claimed(ledger, running)) == {"+0"}


async def test_suspect_that_is_handed_back_waits_apart_again(ledger: Ledger) -> None:
    running = await crowd(ledger, 10)
    await lost(ledger, running, range(3), deaths=1)
    window = await claimed(ledger, running)
    handed_back = [
        Settled(
            attempt=one.attempt,
            alert_id=running.alert.id,
            channel="sms",
            outcome="not_begun",
            work=Work.PENDING,
        )
        for one in window.claimed
    ]
    async with ledger.write() as db:
        await settle(db, handed_back)

    assert addresses(await claimed(ledger, running)) == {"+0", "+1", "+2"}


def not_begun(running: Running, attempt: AttemptRef) -> Decided:
    return Decided(
        attempt=attempt,
        alert_id=running.alert.id,
        resolution=Resolution.NOT_BEGUN,
        by="policy",
        is_suspect=True,
    )
