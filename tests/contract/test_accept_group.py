"""Alerts that come together are committed together, and each is as well kept as alone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from kentongan.access import Role
from ledger.audit import Deed
from ledger.engine import Ledger
from ledger.schema import alert_progress, alerts
from ledger.schema_people import audit, idempotency
from service.accept_group import Entry
from service.wiring import House
from tests.fakes.alerting import SITI, alert, alerting_house, got, posted, settle_village
from tests.fakes.house import Client, Headers, key_of, serving
from tests.fakes.running import an_alert


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger)


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with serving(house) as ready:
        yield ready


def pasted(**changes: Any) -> dict[str, Any]:
    points = [{"channel": "sms", "address": SITI}]
    return alert(audience={"points": points}, channels=["sms"], **changes)


async def rows_of(ledger: Ledger, *tables: Table) -> list[int]:
    async with ledger.read() as db:
        return [await db.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


async def test_fifty_at_once_are_fifty_alerts_each_with_its_audit_row(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    async def post(no: int) -> tuple[int, dict[str, Any]]:
        return await posted(client, officer, pasted(source=f"s{no}"), key=f"k{no}")

    first = await asyncio.gather(*(post(no) for no in range(50)))
    again = await asyncio.gather(*(post(no) for no in range(50)))

    assert {status for status, _ in first} == {202}
    assert len({told["id"] for _, told in first}) == 50
    assert again == first
    assert await rows_of(ledger, alerts, alert_progress, audit, idempotency) == [50] * 4


async def test_alerts_to_groups_and_without_keys_join_as_well(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    await settle_village(ledger)

    told = await asyncio.gather(*(posted(client, officer, alert()) for _ in range(10)))

    assert [(status, body["people"]) for status, body in told] == [(202, 3)] * 10
    assert await rows_of(ledger, alerts, audit, idempotency) == [10, 10, 0]


async def test_twins_in_the_same_moment_are_one_alert(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    others = [posted(client, officer, pasted(), key=f"k{no}") for no in range(5)]
    twins = [posted(client, officer, pasted(), key="twin") for _ in range(4)]

    told = await asyncio.gather(*others, *twins)

    assert {status for status, _ in told} == {202}
    assert len({body["id"] for _, body in told[5:]}) == 1
    assert await rows_of(ledger, alerts, audit, idempotency) == [6, 6, 6]


async def test_other_request_under_a_key_of_the_same_moment_is_refused(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    told = await asyncio.gather(
        posted(client, officer, pasted(source="one"), key="k"),
        posted(client, officer, pasted(source="two"), key="k"),
    )

    assert sorted(status for status, _ in told) == [202, 422]
    assert await rows_of(ledger, alerts) == [1]


async def test_one_that_cannot_be_written_takes_no_other_with_it(
    client: Client, house: House, officer: Headers, ledger: Ledger
) -> None:
    sick = an_alert(await ledger.now(), body={"text": object()})
    deed = Deed(actor="key_x", action="alert.accept", subject=sick.id, detail={})
    poison = Entry(alert=sick, deed=deed, claim=None)

    told, joined = await asyncio.gather(
        asyncio.gather(*(posted(client, officer, pasted(), key=f"k{no}") for no in range(5))),
        house.accept_group.join(ledger, poison),
    )

    assert joined is False
    assert [status for status, _ in told] == [202] * 5
    assert await rows_of(ledger, alerts, audit, idempotency) == [5, 5, 5]


async def test_stop_beside_a_group_is_obeyed(client: Client, officer: Headers) -> None:
    _, earlier = await posted(client, officer, pasted(), key="earlier")

    async def stop() -> int:
        async with client.post(f"/v1/alerts/{earlier['id']}/stop", headers=officer) as answer:
            return answer.status

    told, stopped = await asyncio.gather(
        asyncio.gather(*(posted(client, officer, pasted(), key=f"k{no}") for no in range(20))),
        stop(),
    )
    _, seen = await got(client, officer, f"/v1/alerts/{earlier['id']}")

    assert {status for status, _ in told} == {202}
    assert (stopped, seen["state"]) == (200, "stopped")


async def test_correction_beside_a_group_stops_its_original(
    client: Client, officer: Headers
) -> None:
    _, original = await posted(client, officer, pasted(), key="original")
    taken_back = alert(type="cancel", references=[original["id"]], channels=["sms"])
    del taken_back["audience"]

    told = await asyncio.gather(
        *(posted(client, officer, pasted(), key=f"k{no}") for no in range(10)),
        posted(client, officer, taken_back, key="cancel"),
    )
    _, seen = await got(client, officer, f"/v1/alerts/{original['id']}")

    assert {status for status, _ in told} == {202}
    assert told[-1][1]["never_told"] is not None
    assert seen["state"] == "stopped"


async def test_callers_with_a_ceiling_keep_it_however_many_ask_at_once(
    client: Client, ledger: Ledger
) -> None:
    await settle_village(ledger)
    system = await key_of(ledger, Role.INTEGRATION, groups=("north",), people=7)

    told = await asyncio.gather(*(posted(client, system, alert(), key=f"k{no}") for no in range(6)))

    assert sorted(status for status, _ in told) == [202, 202, 429, 429, 429, 429]
    assert await rows_of(ledger, alerts) == [2]


async def test_while_the_ledger_hangs_nothing_is_kept_and_repeats_are_first_times(
    client: Client, officer: Headers, ledger: Ledger, tmp_path: Path
) -> None:
    await posted(client, officer, pasted(), key="before")
    ledger.patience = 0.2
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    hung = await asyncio.gather(
        *(posted(client, officer, pasted(), key=f"k{no}") for no in range(20))
    )
    other.execute("ROLLBACK")
    other.close()
    kept = await rows_of(ledger, alerts)
    again = await asyncio.gather(
        *(posted(client, officer, pasted(), key=f"k{no}") for no in range(20))
    )

    assert {status for status, _ in hung} == {503}
    assert kept == [1]
    assert {status for status, _ in again} == {202}
    assert await rows_of(ledger, alerts, audit, idempotency) == [21, 21, 21]
