"""A lease is renewed while it lives, stays lapsed once it has lapsed, and one worker leads."""

import asyncio

from ledger import housekeeping, leases
from ledger.engine import WORKER_PATIENCE, Ledger
from tests.fakes import asked

HERE = "host:1"


async def begun(ledger: Ledger) -> str:
    async with ledger.write() as db:
        return await leases.begin(db, HERE)


async def renewed(ledger: Ledger, worker: str) -> bool:
    async with ledger.write() as db:
        return await leases.renew(db, worker)


async def leads(ledger: Ledger, worker: str) -> bool:
    async with ledger.write() as db:
        return await leases.lead(db, worker)


async def living(ledger: Ledger) -> int:
    async with ledger.read() as db:
        return await leases.living(db)


async def test_worker_lives_while_its_lease_does(ledger: Ledger) -> None:
    first, second = await begun(ledger), await begun(ledger)

    assert first != second
    assert await living(ledger) == 2
    assert await renewed(ledger, first)


async def test_lapsed_lease_stays_lapsed(ledger: Ledger, later: Ledger) -> None:
    worker = await begun(ledger)

    assert await living(later) == 0
    assert not await renewed(later, worker)
    assert await living(later) == 0


async def test_renewal_counts_from_when_it_was_asked_for(ledger: Ledger, url: str) -> None:
    worker = await begun(ledger)
    soon = Ledger.open(url, clock_offset=leases.LEASE - 3)
    after = Ledger.open(url, clock_offset=leases.LEASE + 3)

    assert await renewed(soon, worker)

    assert await living(after) == 1
    for one in (soon, after):
        await one.close()


async def test_lease_given_back_ends_at_once(ledger: Ledger) -> None:
    worker = await begun(ledger)

    async with ledger.write() as db:
        await leases.end(db, worker)

    assert await living(ledger) == 0
    assert not await renewed(ledger, worker)


async def test_lease_of_nobody_is_not_renewed(ledger: Ledger) -> None:
    assert not await renewed(ledger, "wrk_nobody")


async def test_one_worker_leads_until_its_lease_ends(ledger: Ledger, later: Ledger) -> None:
    first, second = await begun(ledger), await begun(ledger)

    assert await leads(ledger, first)
    assert not await leads(ledger, second)
    assert await leads(ledger, first)

    assert await leads(later, second)
    assert not await leads(later, first)


async def test_of_those_who_would_lead_at_once_one_does(ledger: Ledger, url: str) -> None:
    workers = [await begun(ledger) for _ in range(6)]
    ledgers = [Ledger.open(url, patience=WORKER_PATIENCE) for _ in workers]

    won = await asyncio.gather(*map(leads, ledgers, workers))

    assert sum(won) == 1
    for one in ledgers:
        await one.close()


async def test_worker_long_gone_is_forgotten_unless_it_left_something_open(
    ledger: Ledger, later: Ledger
) -> None:
    await begun(ledger)
    alert = await asked.alert(ledger)
    async with ledger.write() as db:
        await db.exec_driver_sql(
            "INSERT INTO incarnations (id, place, started_at, until_at) VALUES"
            f" ('wrk_{'0' * 26}', 'gone', 1, 1)"
        )
    await asked.delivery(ledger, alert, tries=[{}])

    async with later.bulk() as db:
        await housekeeping.forget_workers(db)
        left = list((await db.exec_driver_sql("SELECT place FROM incarnations")).scalars())

    assert left == ["gone"]
