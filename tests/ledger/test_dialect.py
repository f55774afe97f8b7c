"""Bulk inserts and updates do the same on both engines."""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select

from ledger.dialect import COPY_FROM, insert_many, insert_or_skip, update_many
from ledger.engine import Ledger
from ledger.schema import leader, provider_events

KEYS = ("channel", "kind")


def event(n: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{n:04}",
        "channel": "sms",
        "kind": f"kind {n}",
        "payload": {"n": n, "words": "bahaya — \u26a0 \\ \t\n'"},
        "came_at": n,
        **changes,
    }


async def insert(ledger: Ledger, count: int) -> None:
    async with ledger.bulk() as db:
        await insert_many(db, provider_events, [event(n) for n in range(count)])


async def update(ledger: Ledger, rows: list[dict[str, Any]], **more: Any) -> list[tuple[Any, ...]]:
    async with ledger.bulk() as db:
        return sorted(await update_many(db, provider_events, rows, **{"keys": ("id",), **more}))


async def rows(ledger: Ledger) -> list[Any]:
    async with ledger.read() as db:
        return list(await db.execute(select(provider_events).order_by(provider_events.c.id)))


@pytest.mark.parametrize("count", [0, 1, COPY_FROM - 1, COPY_FROM, COPY_FROM + 1])
async def test_many_rows_are_inserted_as_they_are(ledger: Ledger, count: int) -> None:
    await insert(ledger, count)

    found = [(row.id, row.payload, row.came_at, row.verdict) for row in await rows(ledger)]
    assert found == [(e["id"], e["payload"], e["came_at"], None) for e in map(event, range(count))]


async def test_insert_that_is_rolled_back_leaves_nothing(ledger: Ledger) -> None:
    with suppress(ZeroDivisionError):
        async with ledger.bulk() as db:
            await insert_many(db, provider_events, [event(n) for n in range(COPY_FROM)])
            raise ZeroDivisionError

    assert await rows(ledger) == []


async def test_row_already_there_is_left_alone(ledger: Ledger) -> None:
    for holder in ("first", "second"):
        async with ledger.write() as db:
            await db.execute(
                insert_or_skip(db, leader).values(name="leader", holder=holder, until_at=1)
            )

    async with ledger.read() as db:
        assert (await db.execute(select(leader.c.holder))).scalar_one() == "first"


async def test_update_of_nothing_hits_nothing(ledger: Ledger) -> None:
    await insert(ledger, 1)

    assert await update(ledger, []) == []


async def test_each_row_gets_its_own_values_and_null_is_a_value(ledger: Ledger) -> None:
    await insert(ledger, 4)

    hit = await update(
        ledger,
        [
            {
                "id": "evt_0000",
                "verdict": "joined",
                "joined_at": 7,
                "delivery_id": "dlv_1",
                "no": 1,
            },
            {"id": "evt_0001", "verdict": None, "joined_at": None, "delivery_id": None, "no": None},
            {"id": "evt_0009", "verdict": "lost", "joined_at": 9, "delivery_id": None, "no": None},
        ],
    )

    assert hit == [("evt_0000",), ("evt_0001",)]
    found = [(row.verdict, row.joined_at, row.delivery_id, row.no) for row in await rows(ledger)]
    assert found == [("joined", 7, "dlv_1", 1), *[(None, None, None, None)] * 3]


async def test_rows_are_found_by_several_keys(ledger: Ledger) -> None:
    await insert(ledger, 3)

    hit = await update(
        ledger,
        [
            {"channel": "sms", "kind": "kind 1", "verdict": "joined"},
            {"channel": "voice", "kind": "kind 2", "verdict": "joined"},
        ],
        keys=KEYS,
    )

    assert hit == [("sms", "kind 1")]
    assert [row.verdict for row in await rows(ledger)] == [None, "joined", None]


async def test_guard_keeps_rows_from_being_hit(ledger: Ledger) -> None:
    await insert(ledger, 4)

    hit = await update(
        ledger,
        [{"id": f"evt_{n:04}", "verdict": "late"} for n in range(4)],
        guard="provider_events.came_at >= :since AND provider_events.verdict IS NULL",
        params={"since": 2},
    )

    assert hit == [("evt_0002",), ("evt_0003",)]
    assert [row.verdict for row in await rows(ledger)] == [None, None, "late", "late"]


async def test_json_is_updated_as_json(ledger: Ledger) -> None:
    await insert(ledger, 2)
    payload = {"words": "it's \u26a0", "list": [1, None, {"a": "{b}"}]}

    await update(ledger, [{"id": "evt_0001", "payload": payload}])

    assert [row.payload for row in await rows(ledger)] == [event(0)["payload"], payload]
