"""Faults of ours set a sender aside after three; a probe, or a success, brings it back."""

from ledger import health
from ledger.engine import Ledger

WHO = ("sms", "+15005550006")


async def faults(ledger: Ledger, count: int = 1) -> bool:
    async with ledger.write() as db:
        return await health.note_faults(
            db, *WHO, faults=count, reason="account", detail="20003: no"
        )


async def is_stopped(ledger: Ledger, who: tuple[str, str] = WHO) -> bool:
    async with ledger.read() as db:
        return await health.is_stopped(db, *who)


async def probes(ledger: Ledger) -> list[tuple[str, str]]:
    async with ledger.write() as db:
        return list(await health.take_probes(db))


async def test_third_fault_stops_the_sender_and_says_so_once(ledger: Ledger) -> None:
    assert [await faults(ledger) for _ in range(4)] == [False, False, True, False]

    assert await is_stopped(ledger)
    async with ledger.read() as db:
        [shown] = await health.stopped(db)
    assert (shown.channel, shown.sender, shown.reason) == (*WHO, "account")
    assert shown.detail == "20003: no"


async def test_other_senders_go_on(ledger: Ledger) -> None:
    await faults(ledger, 3)

    assert not await is_stopped(ledger, ("sms", "+15005550007"))
    assert not await is_stopped(ledger, ("voice", WHO[1]))


async def test_success_between_faults_forgets_them(ledger: Ledger) -> None:
    await faults(ledger, 2)
    async with ledger.write() as db:
        await health.note_success(db, *WHO)

    assert not await faults(ledger, 2)
    assert not await is_stopped(ledger)


async def test_success_brings_a_stopped_sender_back(ledger: Ledger, later: Ledger) -> None:
    await faults(ledger, 3)
    async with ledger.write() as db:
        await health.note_success(db, *WHO)

    assert not await is_stopped(ledger)
    assert await probes(later) == []


async def test_one_worker_takes_a_probe_that_is_due(ledger: Ledger, later: Ledger) -> None:
    await faults(ledger, 3)

    assert await probes(ledger) == []
    assert await probes(later) == [WHO]
    assert await probes(later) == []
    assert await is_stopped(later)  # until somebody says that it works
