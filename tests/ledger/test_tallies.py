"""What providers did lately is added up by slots, and late receipts are counted from attempts."""

import pytest

from kentongan.clock import seconds
from kentongan.receipt import RANK, ReceiptKind
from ledger import tallies
from ledger.engine import Ledger, read_now
from ledger.tallies import Tally
from tests.fakes.running import expanded, tried

MAIN, SECOND = ("sms", "main"), ("sms", "second")
PEOPLE = {f"person {n}": [("sms", f"+{n}")] for n in range(10)}
SENT, DELIVERED = RANK[ReceiptKind.SENT], RANK[ReceiptKind.DELIVERED]
ACCEPTED = RANK[ReceiptKind.ACCEPTED]


async def seen(ledger: Ledger, *adds: dict[tuple[str, str], Tally]) -> None:
    for add in adds:
        async with ledger.write() as db:
            await tallies.add(db, add)


async def test_tallies_of_all_workers_are_added_up(ledger: Ledger) -> None:
    await seen(ledger, {MAIN: Tally(3, 1), SECOND: Tally(0, 9)}, {MAIN: Tally(4, 0)})

    async with ledger.read() as db:
        assert await tallies.lately(db) == {MAIN: Tally(7, 1), SECOND: Tally(0, 9)}


async def test_what_is_older_than_a_minute_does_not_count(ledger: Ledger, later: Ledger) -> None:
    await seen(ledger, {MAIN: Tally(0, 50)})

    async with later.write() as db:
        assert await tallies.lately(db) == {}
        await tallies.forget(db)
    async with ledger.read() as db:
        assert await tallies.lately(db) in ({}, {MAIN: Tally(0, 50)})


async def slow(ledger: Ledger, *receipts: tuple[int, float, float | None]) -> bool:
    """Tell whether `main` is slow by (receipt, seconds since hand-over, seconds it took)."""
    running = await expanded(ledger, PEOPLE, channels=("sms",))
    async with ledger.read() as db:
        now = await read_now(db)
    for delivery, (rank, age, took) in zip(running.page.deliveries, receipts, strict=False):
        await tried(
            ledger,
            running.alert.id,
            delivery.id,
            provider="main",
            outcome="accepted",
            outcome_at=now - seconds(age),
            receipt=rank,
            receipt_at=None if took is None else now - seconds(age - took),
        )
    async with ledger.read() as db:
        return (await tallies.slow(db, 0))["sms", "main"]


QUICK = (DELIVERED, 400.0, 5.0)
LATE = (DELIVERED, 800.0, 301.0)
STUCK = (ACCEPTED, 301.0, None)
ONLY_SENT = (SENT, 400.0, 2.0)


@pytest.mark.parametrize(
    ("receipts", "is_slow"),
    [
        ([QUICK] * 10, False),
        ([QUICK] * 9 + [LATE], False),
        ([QUICK] * 8 + [LATE] * 2, True),
        ([QUICK] * 8 + [STUCK] * 2, True),
        ([QUICK] * 8 + [ONLY_SENT] * 2, True),
        ([ONLY_SENT] * 10, False),
        ([QUICK] * 5 + [(ACCEPTED, 60.0, None)] * 5, False),
    ],
    ids=["quick", "few late", "late", "stuck", "sent and no more", "never says more", "young"],
)
async def test_provider_is_slow_when_too_many_receipts_come_late(
    ledger: Ledger, receipts: list[tuple[int, float, float | None]], *, is_slow: bool
) -> None:
    assert await slow(ledger, *receipts) is is_slow
