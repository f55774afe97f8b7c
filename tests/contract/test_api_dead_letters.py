"""Officers see what was given up, and have it tried again; the deed stands in the audit."""

from typing import Any

import pytest
from sqlalchemy import select

from kentongan.access import Role
from kentongan.delivery import Work
from kentongan.outcome import Reason
from ledger.engine import Ledger
from ledger.schema_people import audit
from service.wiring import House
from tests.fakes.alerting import alerting_house, got
from tests.fakes.house import Client, Headers, key_of
from tests.fakes.running import Running, becomes, expanded, tried

SITI, BUDI = "+628111000001", "+628111000002"
PEOPLE = {"Siti": [("sms", SITI)], "Budi": [("sms", BUDI)]}


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger)


@pytest.fixture
async def running(ledger: Ledger) -> Running:
    """Two deliveries that were given up."""
    made = await expanded(ledger, PEOPLE)
    for address, reason in ((SITI, Reason.BUG), (BUDI, Reason.POISON)):
        one = made.delivery(address)
        await tried(ledger, made.alert.id, one, outcome="deferred", reason=reason)
        await becomes(ledger, one, work=Work.FAILED, reason=reason, attempts=1)
    return made


async def replay(
    client: Client, caller: Headers, body: dict[str, Any], key: str = ""
) -> tuple[int, Any]:
    headers = {**caller, **({"Idempotency-Key": key} if key else {})}
    async with client.post("/v1/dead-letters/replay", headers=headers, json=body) as answer:
        return answer.status, await answer.json()


async def test_dead_letters_are_listed_with_their_reason(
    client: Client, officer: Headers, auditor: Headers, running: Running
) -> None:
    _, body = await got(client, officer, "/v1/dead-letters")
    _, masked = await got(client, auditor, "/v1/dead-letters?reason=bug")

    shown = {one["address"]: one["reason"] for one in body["dead_letters"]}
    assert shown == {SITI: "bug", BUDI: "poison"}
    assert {one["alert"] for one in body["dead_letters"]} == {running.alert.id}
    assert [one["address"] for one in masked["dead_letters"]] == ["+62…01"]


async def test_pages_follow_on_one_another(
    client: Client, officer: Headers, running: Running
) -> None:
    _, first = await got(client, officer, "/v1/dead-letters?limit=1")
    _, last = await got(client, officer, f"/v1/dead-letters?limit=1&cursor={first['next']}")

    ids = [page["dead_letters"][0]["id"] for page in (first, last)]
    assert ids == sorted((running.delivery(SITI), running.delivery(BUDI)), reverse=True)
    assert last["next"] is None


async def test_replay_by_filter_is_audited_and_its_repeat_changes_nothing(
    client: Client, officer: Headers, ledger: Ledger, running: Running
) -> None:
    body = {"alert": running.alert.id, "reason": ["bug"]}

    status, done = await replay(client, officer, body, key="once")
    _, again = await replay(client, officer, body, key="once")
    _, without_key = await replay(client, officer, body)

    assert (status, done["replayed"], done["more"]) == (200, 1, False)
    assert again == done
    assert without_key["replayed"] == 0
    async with ledger.read() as db:
        rows = (await db.execute(select(audit).where(audit.c.action == "delivery.replay"))).all()
    assert [(row.subject, row.detail["deliveries"]) for row in rows] == [(running.alert.id, 1)]


async def test_replay_has_to_name_something(client: Client, admin: Headers) -> None:
    status, problem = await replay(client, admin, {})

    assert status == 422
    assert "deliveries, alert, channel or reason" in str(problem)


@pytest.mark.parametrize("role", [Role.INTEGRATION, Role.AUDITOR])
async def test_only_officers_and_admins_replay(client: Client, ledger: Ledger, role: Role) -> None:
    caller = await key_of(ledger, role)

    status, _ = await replay(client, caller, {"reason": ["bug"]})

    assert status == 403


async def test_system_sees_the_dead_letters_of_its_own_alerts_alone(
    client: Client, integration: Headers, running: Running
) -> None:
    _, body = await got(client, integration, "/v1/dead-letters")

    assert running.page.deliveries
    assert body["dead_letters"] == []
