"""A provider's circuit opens, is probed, and closes by a trial; its share is written down."""

from kentongan.circuit import Circuit
from kentongan.weights import at_rest
from ledger import providers
from ledger.engine import Ledger
from ledger.providers import Standing, Who

MAIN, SECOND = ("sms", "main"), ("sms", "second")
EVEN = at_rest({"main": 1, "second": 1})


async def known(ledger: Ledger, *who: Who) -> None:
    async with ledger.write() as db:
        await providers.register(db, who or (MAIN, SECOND))


async def standing(ledger: Ledger, who: Who = MAIN) -> Standing:
    async with ledger.read() as db:
        return next(one for one in await providers.standings(db) if one.who == who)


async def faults(ledger: Ledger, count: int = 1) -> bool:
    async with ledger.write() as db:
        return await providers.note_faults(
            db, MAIN, faults=count, reason="account", detail="20003: no"
        )


async def probes(ledger: Ledger) -> list[Who]:
    async with ledger.write() as db:
        return await providers.take_probes(db)


async def half_open(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await providers.half_open(db, MAIN)


async def trial(ledger: Ledger) -> bool:
    async with ledger.write() as db:
        return await providers.take_trial(db, MAIN)


async def close(ledger: Ledger) -> bool:
    async with ledger.write() as db:
        return await providers.close(db, MAIN, EVEN)


async def test_third_fault_of_the_account_opens_the_circuit_and_says_so_once(
    ledger: Ledger,
) -> None:
    assert [await faults(ledger) for _ in range(4)] == [False, False, True, False]

    stands = await standing(ledger)
    assert (stands.circuit, stands.reason) == (Circuit.OPEN, "account")
    assert stands.detail == "20003: no"


async def test_other_providers_go_on(ledger: Ledger) -> None:
    await known(ledger)

    await faults(ledger, 3)

    assert (await standing(ledger, SECOND)).circuit is Circuit.CLOSED


async def test_success_between_faults_forgets_them(ledger: Ledger) -> None:
    await faults(ledger, 2)

    assert not await close(ledger)

    assert not await faults(ledger, 2)
    assert (await standing(ledger)).circuit is Circuit.CLOSED


async def test_repeated_failure_opens_the_circuit_once(ledger: Ledger) -> None:
    async with ledger.write() as db:
        opened = [
            await providers.open_circuit(db, MAIN, reason="provider_trouble", detail="12 errors")
            for _ in range(2)
        ]

    assert opened == [True, False]
    assert (await standing(ledger)).detail == "12 errors"


async def test_one_worker_takes_a_probe_that_is_due(ledger: Ledger, later: Ledger) -> None:
    await faults(ledger, 3)

    assert await probes(ledger) == []
    assert await probes(later) == [MAIN]
    assert await probes(later) == []


async def test_half_open_provider_is_tried_by_one_message_at_a_time(
    ledger: Ledger, later: Ledger
) -> None:
    await faults(ledger, 3)
    assert not await trial(ledger)

    await half_open(ledger)

    assert (await standing(ledger)).circuit is Circuit.HALF_OPEN
    assert await trial(ledger)
    assert not await trial(ledger)
    assert await trial(later)


async def test_failed_trial_sets_the_provider_aside_again(ledger: Ledger, later: Ledger) -> None:
    await faults(ledger, 3)
    await half_open(ledger)

    async with ledger.write() as db:
        await providers.reopen(db, MAIN)

    assert (await standing(ledger)).circuit is Circuit.OPEN
    assert await probes(later) == [MAIN]


async def test_fault_of_a_half_open_provider_sets_it_aside_again(ledger: Ledger) -> None:
    await faults(ledger, 3)
    await half_open(ledger)

    await faults(ledger)

    assert (await standing(ledger)).circuit is Circuit.OPEN


async def test_success_of_what_was_under_way_leaves_it_aside(ledger: Ledger) -> None:
    await faults(ledger, 3)

    assert not await close(ledger)

    stands = await standing(ledger)
    assert (stands.circuit, stands.reason) == (Circuit.OPEN, "account")


async def test_provider_comes_back_with_one_step_of_the_traffic(ledger: Ledger) -> None:
    await known(ledger)
    await faults(ledger, 3)
    await half_open(ledger)

    assert await close(ledger)

    stands = await standing(ledger)
    assert (stands.circuit, stands.faults, stands.reason) == (Circuit.CLOSED, 0, "")
    assert stands.share == 10
    assert (await standing(ledger, SECOND)).share == 90
    assert not await trial(ledger)


async def test_provider_that_no_worker_knows_any_more_is_not_shown(
    ledger: Ledger, later: Ledger
) -> None:
    await known(ledger)
    await known(later, MAIN)

    async with later.read() as db:
        assert [one.who for one in await providers.standings(db)] == [MAIN]
