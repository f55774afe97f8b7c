"""Deliveries are shown, filtered and exported; addresses only to those who may see them."""

import csv
import io
import json

import pytest
from sqlalchemy import insert

from kentongan.access import Role
from kentongan.delivery import Work
from kentongan.ids import KeyId, new_id
from ledger.engine import Ledger, read_now
from ledger.schema import provider_events, responses
from service.api import delivery_exports
from service.wiring import House
from tests.fakes.alerting import alerting_house, got
from tests.fakes.house import Client, Headers, key_of
from tests.fakes.running import Running, becomes, expanded, tried

PEOPLE = {
    "=HYPERLINK(1)": [("sms", "+628111000001")],
    "Budi": [("sms", "+628111000002"), ("email", "budi@example.org")],
    "Dewi": [("sms", "+628111000002")],
    "Wati": [],
}
SITI, SHARED = "+628111000001", "+628111000002"


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger)


@pytest.fixture
async def running(ledger: Ledger) -> Running:
    return await expanded(ledger, PEOPLE)


def at(running: Running, rest: str = "") -> str:
    return f"/v1/alerts/{running.alert.id}/deliveries{rest}"


async def file(client: Client, caller: Headers, path: str) -> tuple[str, str]:
    async with client.get(path, headers=caller) as answer:
        assert answer.status == 200
        return answer.headers["Content-Type"], await answer.text()


async def test_counts_of_an_alert_add_up(
    client: Client, officer: Headers, ledger: Ledger, running: Running
) -> None:
    await becomes(ledger, running.delivery(SITI), work=Work.SETTLED, receipt=60)

    _, read = await got(client, officer, f"/v1/alerts/{running.alert.id}")
    _, listed = await got(client, officer, "/v1/alerts")

    counts = read["counts"]
    assert counts["people"]["total"] == sum(counts["people"]["states"].values()) == 4
    assert counts["people"]["states"]["reached"] == 1
    assert counts["channels"]["sms"] == {"total": 2, "states": {"delivered": 1, "waiting": 1}}
    assert listed["alerts"][0]["counts"]["people"] == counts["people"]


async def test_viewers_share_a_count_until_it_may_be_made_again(
    client: Client, officer: Headers, ledger: Ledger, running: Running
) -> None:
    from ledger import counts, overviews
    from ledger.counts import Counted

    _, _ = await got(client, officer, f"/v1/alerts/{running.alert.id}")
    async with ledger.write() as db:
        standing = await overviews.get(db, running.alert.id)
        assert standing is not None
        assert standing.counted is not None
        slow = Counted(counts=standing.counted.counts, at=standing.now, took=60_000_000)
        await counts.keep(db, running.alert.id, slow)
    await becomes(ledger, running.delivery(SITI), work=Work.SETTLED, receipt=60)

    _, read = await got(client, officer, f"/v1/alerts/{running.alert.id}")

    assert read["counts"]["people"]["states"]["reached"] == 0
    assert read["counts"]["age_seconds"] >= 0


async def test_deliveries_are_listed_and_filtered(
    client: Client, officer: Headers, ledger: Ledger, running: Running
) -> None:
    await becomes(ledger, running.delivery(SITI), work=Work.FAILED, reason="unreachable")

    _, first = await got(client, officer, at(running, "?limit=2"))
    _, second = await got(client, officer, at(running, f"?limit=2&cursor={first['next']}"))
    _, failed = await got(client, officer, at(running, "?state=failed&state=expired"))
    _, by_address = await got(client, officer, at(running, "?q=budi@"))

    assert len(first["deliveries"]) == 2
    assert len(second["deliveries"]) == 1
    assert second["next"] is None
    assert [one["address"] for one in failed["deliveries"]] == [SITI]
    assert [one["address"] for one in by_address["deliveries"]] == ["budi@example.org"]


async def test_auditor_sees_masked_addresses_and_cannot_search_them(
    client: Client, auditor: Headers, running: Running
) -> None:
    _, listed = await got(client, auditor, at(running))
    _, searched = await got(client, auditor, at(running, "?q=%2B62811"))
    _, exported = await file(client, auditor, at(running, ".csv"))

    assert {one["address"] for one in listed["deliveries"]} == {
        "+62…01",
        "+62…02",
        "b…@example.org",
    }
    assert searched["deliveries"] == []
    assert SITI not in exported


async def test_csv_holds_every_delivery_and_runs_no_formula(
    client: Client, officer: Headers, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_exports, "PAGE", 2)  # so that three rows take two pages

    kind, text = await file(client, officer, at(running, ".csv"))

    rows = list(csv.DictReader(io.StringIO(text)))
    assert kind.startswith("text/csv")
    assert (rows[-1]["id"], rows[-1]["channel"]) == ("rows", "3")
    by_address = {row["address"]: row for row in rows[:-1]}
    assert set(by_address) == {SITI, SHARED, "budi@example.org"}
    assert by_address[SITI]["people"] == "'=HYPERLINK(1)"
    assert by_address[SHARED]["people"] == "Budi; Dewi"


async def test_ndjson_ends_in_the_number_of_its_lines(
    client: Client, officer: Headers, running: Running
) -> None:
    _, text = await file(client, officer, at(running, ".ndjson?channel=sms"))

    *rows, end = [json.loads(line) for line in text.splitlines()]
    assert end == {"rows": 2}
    assert {row["address"] for row in rows} == {SITI, SHARED}


async def test_delivery_tells_its_story_in_the_order_of_time(
    client: Client, officer: Headers, auditor: Headers, ledger: Ledger, running: Running
) -> None:
    delivery = running.delivery(SITI)
    now = await ledger.now()
    await tried(
        ledger,
        running.alert.id,
        delivery,
        opened_at=now,
        outcome="accepted",
        outcome_at=now + 10,
        detail=f"queued for {SITI}",
        receipt=60,
        receipt_word="delivered",
    )
    raw = {"form": {"To": [SITI], "MessageStatus": ["delivered"]}}
    async with ledger.write() as db:
        assert await read_now(db)
        await db.execute(
            insert(provider_events).values(
                id=new_id("event"),
                channel="sms",
                kind="status",
                delivery_id=delivery,
                no=1,
                payload=raw,
                came_at=now + 20,
                joined_at=now + 30,
                verdict="joined",
            )
        )
        await db.execute(
            insert(responses).values(
                id=new_id("response"),
                delivery_id=delivery,
                option="1",
                via="sms",
                came_at=now + 40,
                first=True,
            )
        )

    _, told = await got(client, officer, f"/v1/deliveries/{delivery}")
    _, masked = await got(client, auditor, f"/v1/deliveries/{delivery}")

    assert [one["what"] for one in told["timeline"]] == [
        "opened",
        "outcome",
        "report",
        "response",
    ]
    assert told["timeline"][2]["raw"] == raw
    assert told["tries"][0]["receipt_word"] == "delivered"
    assert told["responses"][0]["option"] == "1"
    assert SITI not in json.dumps(masked)


@pytest.mark.parametrize("caller", ["auditor", "integration"])
async def test_words_of_a_provider_tell_addresses_to_nobody_who_may_not_see_them(
    client: Client, ledger: Ledger, caller: str
) -> None:
    key = await key_of(ledger, Role(caller), groups=("north",))
    async with client.get("/v1/self", headers=key) as answer:
        made_by = KeyId((await answer.json())["id"])
    running = await expanded(ledger, PEOPLE, made_by=made_by)
    delivery = running.delivery("budi@example.org")
    await tried(
        ledger,
        running.alert.id,
        delivery,
        outcome="accepted",
        detail="queued; To=<Budi@Example.org>",
        receipt=50,
        receipt_word="failed smtp; 550 5.1.1 <b.santoso@elsewhere.example>: unknown",
    )

    _, told = await got(client, key, f"/v1/deliveries/{delivery}")

    [attempt] = told["tries"]
    assert "550 5.1.1" in attempt["receipt_word"]
    assert "budi" not in json.dumps(attempt).lower()
    assert "santoso" not in json.dumps(attempt)


async def test_people_are_listed_with_their_state_and_their_ways(
    client: Client, officer: Headers, running: Running
) -> None:
    path = f"/v1/alerts/{running.alert.id}/people"

    _, everyone = await got(client, officer, path)
    _, unreachable = await got(client, officer, f"{path}?state=no_contact_point")

    assert {one["name"] for one in everyone["people"]} == set(PEOPLE)
    assert [(one["name"], one["cause"]) for one in unreachable["people"]] == [
        ("Wati", "no_contact_point")
    ]


async def test_who_needs_help_is_asked_by_their_answer(
    client: Client, officer: Headers, ledger: Ledger, running: Running
) -> None:
    await becomes(ledger, running.delivery(SITI), work=Work.FAILED, reason="unreachable")
    await becomes(ledger, running.delivery(SHARED), work=Work.SETTLED, response="2")
    people = f"/v1/alerts/{running.alert.id}/people"

    _, in_need = await got(client, officer, f"{people}?response=2&response=3")
    _, safe = await got(client, officer, f"{people}?response=1")
    _, missed = await got(client, officer, f"{people}?state=not_reached")
    _, listed = await got(client, officer, at(running, "?response=2"))
    _, exported = await file(client, officer, at(running, ".csv?response=2"))
    _, lines = await file(client, officer, at(running, ".ndjson?response=1"))
    _, read = await got(client, officer, f"/v1/alerts/{running.alert.id}")

    assert [(one["name"], one["response"]) for one in in_need["people"]] == [
        ("Budi", "2"),
        ("Dewi", "2"),
    ]
    assert safe["people"] == []
    assert [(one["response"], one["reason"]) for one in missed["people"]] == [(None, "unreachable")]
    assert [one["address"] for one in listed["deliveries"]] == [SHARED]
    assert [row["id"] for row in csv.DictReader(io.StringIO(exported))][1:] == ["rows"]
    assert json.loads(lines) == {"rows": 0}
    assert read["counts"]["answers"] == {"2": 2}


async def test_response_that_no_option_can_have_is_refused(
    client: Client, officer: Headers, running: Running
) -> None:
    for path in (f"/v1/alerts/{running.alert.id}/people", at(running), at(running, ".csv")):
        assert (await got(client, officer, f"{path}?response=help"))[0] == 422


async def test_what_is_not_there_is_not_found(client: Client, officer: Headers) -> None:
    nothing = "0" * 26

    for path in (
        f"/v1/alerts/alr_{nothing}",
        f"/v1/alerts/alr_{nothing}/people",
        f"/v1/alerts/alr_{nothing}/deliveries",
        f"/v1/alerts/alr_{nothing}/deliveries.csv",
        f"/v1/deliveries/dlv_{nothing}",
    ):
        assert (await got(client, officer, path))[0] == 404
