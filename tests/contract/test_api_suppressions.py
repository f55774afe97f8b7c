"""Who suppressed an address, when and why, is kept; and so is who lifted it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from kentongan.delivery import Work
from ledger.engine import Ledger
from ledger.schema_people import audit
from service.wiring import House
from tests.fakes.house import Client, Headers
from tests.fakes.people import asked, house_of_all_channels, made
from tests.fakes.waiting import alert, deliver, works

PHONE = {"channel": "sms", "address": "0812 1111 111", "reason": "asked at the counter"}


@pytest.fixture
async def house(ledger: Ledger) -> AsyncIterator[House]:
    async with house_of_all_channels(ledger) as ready:
        yield ready


async def test_a_suppressed_address_gets_nothing_that_waits(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    waiting = await deliver(ledger, await alert(ledger), Work.PENDING, "+628121111111")

    one = await made(client, "/v1/suppressions", officer, **PHONE)

    assert (one["address"], one["in_force"], one["reason"]) == (
        "+628121111111",
        True,
        "asked at the counter",
    )
    assert one["made_by"].startswith("key_")
    assert await works(ledger) == {waiting: Work.SUPPRESSED}


async def test_a_second_time_answers_with_the_first(client: Client, officer: Headers) -> None:
    one = await made(client, "/v1/suppressions", officer, **PHONE)

    again = await asked(client, "POST", "/v1/suppressions", officer, PHONE | {"reason": "other"})

    assert again == (200, one)


async def test_lifting_needs_a_reason_and_happens_once(client: Client, officer: Headers) -> None:
    one = await made(client, "/v1/suppressions", officer, **PHONE)
    path = f"/v1/suppressions/{one['id']}/lift"

    assert (await asked(client, "POST", path, officer, {"reason": " "}))[0] == 422
    status, lifted = await asked(client, "POST", path, officer, {"reason": "wrote to us"})
    assert (status, lifted["in_force"], lifted["lifted_reason"]) == (200, False, "wrote to us")
    assert (await asked(client, "POST", path, officer, {"reason": "again"}))[0] == 409
    nowhere = f"/v1/suppressions/sup_{'0' * 26}/lift"
    assert (await asked(client, "POST", nowhere, officer, {"reason": "x"}))[0] == 404
    second = await made(client, "/v1/suppressions", officer, **PHONE)
    assert second["id"] != one["id"]


async def test_lists_are_narrowed_and_paged(client: Client, officer: Headers) -> None:
    ids = [
        (await made(client, "/v1/suppressions", officer, channel=channel, address=at, reason="x"))[
            "id"
        ]
        for channel, at in (
            ("sms", "+628121111111"),
            ("email", "a@b.org"),
            ("voice", "+62812111111"),
        )
    ]
    await asked(client, "POST", f"/v1/suppressions/{ids[2]}/lift", officer, {"reason": "x"})

    async def listed(query: str) -> list[int]:
        _, page = await asked(client, "GET", f"/v1/suppressions?{query}", officer)
        return [ids.index(one["id"]) for one in page["suppressions"]]

    assert await listed("") == [2, 1, 0]
    assert await listed("channel=email") == [1]
    assert await listed("channel=sms&address=0812-1111-111") == [0]
    assert await listed("in_force=true") == [1, 0]
    assert await listed("in_force=false") == [2]
    assert await listed(f"limit=1&cursor={ids[1]}") == [0]


async def test_what_cannot_be_an_address_cannot_be_suppressed(
    client: Client, officer: Headers
) -> None:
    status, problem = await asked(
        client, "POST", "/v1/suppressions", officer, PHONE | {"address": "nobody"}
    )

    assert status == 422
    assert problem["errors"][0]["at"] == "address"


async def test_it_is_audited_without_the_address(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    one = await made(client, "/v1/suppressions", officer, **PHONE)
    await asked(client, "POST", f"/v1/suppressions/{one['id']}/lift", officer, {"reason": "x"})

    async with ledger.read() as db:
        rows = (await db.execute(select(audit).where(audit.c.subject == one["id"]))).all()

    assert [row.action for row in rows] == ["suppression.create", "suppression.lift"]
    assert not any("812" in str(row.detail) for row in rows)


async def test_auditors_see_addresses_masked(
    client: Client, officer: Headers, auditor: Headers, integration: Headers
) -> None:
    one = await made(client, "/v1/suppressions", officer, **PHONE)
    path = f"/v1/suppressions/{one['id']}"

    _, seen = await asked(client, "GET", path, auditor)

    assert seen["address"] == "+62…11"
    assert (await asked(client, "GET", path, integration))[0] == 403
    assert (await asked(client, "POST", f"{path}/lift", auditor, {"reason": "x"}))[0] == 403
