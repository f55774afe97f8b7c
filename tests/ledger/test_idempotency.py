"""The row of an Idempotency-Key lives and dies with the effect beside it."""

import asyncio

import pytest

from ledger.dialect import is_postgresql
from ledger.engine import Ledger, LedgerAwayError, read_now
from ledger.idempotency import (
    LIFE,
    Claim,
    Known,
    TwinBusyError,
    claim,
    claim_many,
    forget,
    store,
)


async def claimed(ledger: Ledger, key: str = "k", fingerprint: str = "f") -> Known | None:
    async with ledger.write() as db:
        known = await claim(db, caller="c", key=key, fingerprint=fingerprint)
        if known is None:
            await store(db, caller="c", key=key, status=202, answer="{}")
    return known


async def test_second_claim_finds_the_first_answer(ledger: Ledger) -> None:
    first = await claimed(ledger)
    second = await claimed(ledger, fingerprint="other")

    assert first is None
    assert second == Known("f", 202, "{}")


async def test_claim_that_was_rolled_back_leaves_nothing(ledger: Ledger) -> None:
    async def refused() -> None:
        async with ledger.write() as db:
            await claim(db, caller="c", key="k", fingerprint="f")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await refused()

    assert await claimed(ledger) is None


async def test_twin_waits_for_the_first_and_gets_its_answer(ledger: Ledger) -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with ledger.write() as db:
            await claim(db, caller="c", key="k", fingerprint="f")
            entered.set()
            await go.wait()
            await store(db, caller="c", key="k", status=202, answer="{}")

    running = asyncio.create_task(first())
    await entered.wait()
    twin = asyncio.create_task(claimed(ledger))
    done, _ = await asyncio.wait([twin], timeout=0.1)
    go.set()

    assert not done
    assert await twin == Known("f", 202, "{}")
    await running


async def test_twin_does_not_wait_for_ever(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await claim(db, caller="c", key="k", fingerprint="f")
        # SQLite has one writer: it cannot tell a twin from anyone else who holds the lock.
        expected = TwinBusyError if is_postgresql(db) else LedgerAwayError

        with pytest.raises(expected):
            await claimed(ledger)


async def test_key_is_free_again_after_its_life(ledger: Ledger, later: Ledger) -> None:
    await claimed(ledger)

    again = await claimed(later, fingerprint="new")

    assert again is None
    assert await claimed(ledger) == Known("new", 202, "{}")


async def test_answers_whose_time_is_over_are_forgotten(ledger: Ledger, later: Ledger) -> None:
    for key in "abc":
        await claimed(ledger, key)

    async with ledger.write() as db:
        early = await forget(db)
    async with later.write() as db:
        forgotten = [await forget(db, limit=2) for _ in range(3)]

    assert early == 0
    assert forgotten == [2, 1, 0]
    assert LIFE == 24 * 3600 * 1_000_000


def a_claim(key: str) -> Claim:
    return Claim(caller="c", key=key, fingerprint=f"of {key}", status=202, answer=f"[{key}]")


async def claimed_together(ledger: Ledger, *keys: str) -> set[str]:
    async with ledger.write() as db:
        taken = await claim_many(db, [a_claim(key) for key in keys], await read_now(db))
    return {key for _, key in taken}


async def test_of_many_keys_those_are_taken_that_nobody_had(ledger: Ledger) -> None:
    await claimed(ledger, "b")

    taken = await claimed_together(ledger, "c", "a", "b")

    assert taken == {"a", "c"}
    assert await claimed(ledger, "a", "of a") == Known("of a", 202, "[a]")
    assert await claimed(ledger, "b") == Known("f", 202, "{}")


async def test_no_keys_are_taken_together_as_well(ledger: Ledger) -> None:
    assert await claimed_together(ledger) == set()


async def test_many_keys_do_not_wait_for_one_in_flight(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await claim(db, caller="c", key="b", fingerprint="f")
        if not is_postgresql(db):
            pytest.skip("SQLite has one writer: whoever holds the lock is waited for")

        with pytest.raises(TwinBusyError):
            await claimed_together(ledger, "a", "b")

    assert await claimed_together(ledger, "a") == {"a"}
