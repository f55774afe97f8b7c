"""Groups are made, filled, renamed and deleted, and never from under an alert that needs them."""

from typing import Any

from sqlalchemy import update

from kentongan.expansion import Stage
from ledger.engine import Ledger
from ledger.schema import alert_progress, alerts
from tests.fakes.house import Client, Headers
from tests.fakes.people import asked, made
from tests.fakes.waiting import alert


async def people(client: Client, key: Headers, *names: str) -> list[str]:
    return [(await made(client, "/v1/recipients", key, name=name))["id"] for name in names]


async def members(client: Client, key: Headers, group: str) -> list[str]:
    _, page = await asked(client, "GET", f"/v1/recipients?group={group}", key)
    return [one["name"] for one in page["recipients"]]


async def test_a_group_is_made_read_renamed_and_deleted(client: Client, officer: Headers) -> None:
    north = await made(client, "/v1/groups", officer, name="north", title="North side")
    path = f"/v1/groups/{north['id']}"

    assert (north["name"], north["title"], north["members"]) == ("north", "North side", 0)
    assert await asked(client, "GET", path, officer) == (200, north)
    status, renamed = await asked(client, "PATCH", path, officer, {"name": "north-side"})
    assert (status, renamed["name"], renamed["title"]) == (200, "north-side", "North side")
    assert (await asked(client, "GET", "/v1/groups?name=north-side", officer))[1]["groups"] == [
        renamed
    ]
    assert await asked(client, "DELETE", path, officer) == (204, None)
    assert (await asked(client, "GET", path, officer))[0] == 404


async def test_a_name_is_a_slug_and_given_once(client: Client, officer: Headers) -> None:
    await made(client, "/v1/groups", officer, name="north")
    south = await made(client, "/v1/groups", officer, name="south")

    assert (await asked(client, "POST", "/v1/groups", officer, {"name": "north"}))[0] == 409
    taken = await asked(client, "PATCH", f"/v1/groups/{south['id']}", officer, {"name": "north"})
    assert taken[0] == 409
    for bad in ("", "North", "a b", "-x", "grp_x", "ñ", "x" * 64):
        status, _ = await asked(client, "POST", "/v1/groups", officer, {"name": bad})
        assert status == 422, bad


async def test_members_come_and_go(client: Client, officer: Headers) -> None:
    north = await made(client, "/v1/groups", officer, name="north")
    path = f"/v1/groups/{north['id']}/members"
    ani, budi, cahya = await people(client, officer, "Ani", "Budi", "Cahya")

    _, after = await asked(client, "POST", path, officer, {"recipients": [ani, budi, budi]})
    assert after["members"] == 2
    _, after = await asked(client, "PUT", path, officer, {"recipients": [budi, cahya]})
    assert after["members"] == 2
    assert await members(client, officer, "north") == ["Budi", "Cahya"]
    assert await asked(client, "DELETE", f"{path}/{budi}", officer) == (204, None)
    assert (await asked(client, "DELETE", f"{path}/{budi}", officer))[0] == 404
    assert await members(client, officer, "north") == ["Cahya"]


async def test_a_stranger_among_the_members_is_named_and_nobody_is_added(
    client: Client, officer: Headers
) -> None:
    north = await made(client, "/v1/groups", officer, name="north")
    path = f"/v1/groups/{north['id']}/members"
    [ani] = await people(client, officer, "Ani")
    stranger = "rcp_" + "0" * 26

    status, problem = await asked(client, "PUT", path, officer, {"recipients": [ani, stranger]})

    assert status == 422
    assert [fault["at"] for fault in problem["errors"]] == ["recipients/1"]
    assert await members(client, officer, "north") == []


async def test_a_group_that_an_alert_waits_for_cannot_be_deleted(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    north = await made(client, "/v1/groups", officer, name="north")
    path = f"/v1/groups/{north['id']}"
    waiting = await alert(ledger)
    audience: dict[str, Any] = {"groups": [north["id"]], "recipients": [], "points": [], "of": None}
    async with ledger.write() as db:
        await db.execute(update(alerts).values(audience=audience))

    status, problem = await asked(client, "DELETE", path, officer)
    assert status == 409
    assert waiting in problem["detail"]

    async with ledger.write() as db:
        await db.execute(update(alert_progress).values(stage=Stage.DONE))
    assert (await asked(client, "DELETE", path, officer))[0] == 204


async def test_pages_go_by_name(client: Client, officer: Headers) -> None:
    for name in ("west", "east", "north"):
        await made(client, "/v1/groups", officer, name=name)

    _, first = await asked(client, "GET", "/v1/groups?limit=2", officer)
    _, rest = await asked(client, "GET", f"/v1/groups?limit=2&cursor={first['next']}", officer)

    listed = [group["name"] for page in (first, rest) for group in page["groups"]]
    assert listed == ["east", "north", "west"]
    assert rest["next"] is None


async def test_auditors_look_and_integrations_do_not(
    client: Client, officer: Headers, auditor: Headers, integration: Headers
) -> None:
    north = await made(client, "/v1/groups", officer, name="north")
    path = f"/v1/groups/{north['id']}"

    assert (await asked(client, "GET", path, auditor))[0] == 200
    assert (await asked(client, "GET", path, integration))[0] == 403
    assert (await asked(client, "DELETE", path, auditor))[0] == 403
    assert (await asked(client, "PUT", f"{path}/members", auditor, {"recipients": []}))[0] == 403
