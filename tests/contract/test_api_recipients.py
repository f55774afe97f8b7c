"""People are kept with addresses that can be used, and shown to whoever may see them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kentongan.webhook_signing import signing_secret
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes.house import KEYRING, Client, Headers
from tests.fakes.people import asked, house_of_all_channels, made

SITI = {
    "name": "Siti  Nurhàliza",
    "locale": "id",
    "external_id": "E1",
    "contact_points": [
        {"channel": "sms", "address": "0812-3456-7890"},
        {"channel": "email", "address": "Siti@Example.ORG"},
        {"channel": "voice", "address": "+62 812 3456 7890"},
    ],
}


@pytest.fixture
async def house(ledger: Ledger) -> AsyncIterator[House]:
    async with house_of_all_channels(ledger) as ready:
        yield ready


def addresses(one: Any) -> list[tuple[str, str]]:
    return [(point["channel"], point["address"]) for point in one["contact_points"]]


async def names(client: Client, key: Headers, query: str) -> list[str]:
    status, page = await asked(client, "GET", f"/v1/recipients?{query}", key)
    assert status == 200, page
    return [one["name"] for one in page["recipients"]]


async def test_addresses_are_kept_in_their_normal_form(client: Client, officer: Headers) -> None:
    siti = await made(client, "/v1/recipients", officer, **SITI)

    status, back = await asked(client, "GET", f"/v1/recipients/{siti['id']}", officer)

    assert (status, back) == (200, siti)
    assert siti["name"] == "Siti Nurhàliza"
    assert addresses(siti) == [
        ("sms", "+6281234567890"),
        ("email", "Siti@example.org"),
        ("voice", "+6281234567890"),
    ]


async def test_all_that_is_wrong_is_said_at_once(client: Client, officer: Headers) -> None:
    wrong = {
        "name": "Budi",
        "contact_points": [
            {"channel": "sms", "address": "call me"},
            {"channel": "pager", "address": "1"},
            {"channel": "email", "address": "b@example.org"},
            {"channel": "email", "address": " b@EXAMPLE.org"},
        ],
        "groups": ["nowhere", "nowhere"],
    }

    status, problem = await asked(client, "POST", "/v1/recipients", officer, wrong)

    assert status == 422
    found = {fault["at"]: fault for fault in problem["errors"]}
    assert set(found) == {
        "contact_points/0/address",
        "contact_points/1/channel",
        "contact_points/3",
        "groups/0",
        "groups/1",
        "groups",
    }
    assert all(fault["problem"] and fault["fix"] for fault in problem["errors"])
    assert "email, sms, voice, webhook" in found["contact_points/1/channel"]["fix"]
    assert await names(client, officer, "") == []


async def test_people_are_found_by_prefix_group_channel_and_external_id(
    client: Client, officer: Headers
) -> None:
    await made(client, "/v1/groups", officer, name="north")
    await made(client, "/v1/recipients", officer, **SITI, groups=["north"])
    await made(client, "/v1/recipients", officer, name="Budi")

    assert await names(client, officer, "q=siti%20nurha") == ["Siti Nurhàliza"]
    assert await names(client, officer, "group=north") == ["Siti Nurhàliza"]
    assert await names(client, officer, "channel=email") == ["Siti Nurhàliza"]
    assert await names(client, officer, "external_id=E1") == ["Siti Nurhàliza"]
    assert await names(client, officer, "q=%25%27%3B--") == []
    assert await names(client, officer, "") == ["Budi", "Siti Nurhàliza"]
    status, problem = await asked(client, "GET", "/v1/recipients?group=south", officer)
    assert (status, problem["errors"][0]["in"]) == (422, "query")


async def test_pages_go_on_where_they_ended(client: Client, officer: Headers) -> None:
    for name in ("Ani", "Budi", "Budi", "Cahya", "Ángel"):
        await made(client, "/v1/recipients", officer, name=name)

    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"/v1/recipients?limit=2&cursor={cursor}"
        _, page = await asked(client, "GET", path, officer)
        seen += [one["name"] for one in page["recipients"]]
        cursor = page["next"]

    assert seen == ["Ángel", "Ani", "Budi", "Budi", "Cahya"]


@pytest.mark.parametrize("cursor", ["x", "!!", "W10", "WzEsMl0", "ew", "é", "W" * 4000, "IlwwIg"])
async def test_a_cursor_that_is_not_ours_is_refused(
    client: Client, officer: Headers, cursor: str
) -> None:
    status, _ = await asked(client, "GET", f"/v1/recipients?cursor={cursor}", officer)

    assert status == 422


async def test_a_change_touches_what_it_names(client: Client, officer: Headers) -> None:
    await made(client, "/v1/groups", officer, name="north")
    siti = await made(client, "/v1/recipients", officer, **SITI, note="deaf", groups=["north"])
    path = f"/v1/recipients/{siti['id']}"

    status, after = await asked(client, "PATCH", path, officer, {"locale": None, "note": ""})
    assert status == 200
    assert after == siti | {"locale": None, "note": "", "updated_at": after["updated_at"]}

    points = [SITI["contact_points"][1], {"channel": "sms", "address": "+628111111111"}]
    change = {"name": "Siti", "contact_points": points, "groups": []}
    status, after = await asked(client, "PATCH", path, officer, change)

    assert addresses(after) == [("email", "Siti@example.org"), ("sms", "+628111111111")]
    assert after["contact_points"][0]["id"] == siti["contact_points"][1]["id"]
    assert (after["name"], after["groups"]) == ("Siti", [])


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"name": ""},
        {"name": " \u200b"},
        {"locale": "Bahasa"},
        {"contact_points": 1},
        {"external_id": ""},
        {"note": None},
        {"groups": ["No Such"]},
        {"state": "x"},
    ],
)
async def test_a_bad_change_changes_nothing(
    client: Client, officer: Headers, change: dict[str, Any]
) -> None:
    siti = await made(client, "/v1/recipients", officer, **SITI)
    path = f"/v1/recipients/{siti['id']}"

    status, problem = await asked(client, "PATCH", path, officer, change)

    assert status == 422
    assert problem["errors"]
    assert await asked(client, "GET", path, officer) == (200, siti)


async def test_an_external_id_is_one_persons(client: Client, officer: Headers) -> None:
    await made(client, "/v1/recipients", officer, name="Ani", external_id="E1")
    budi = await made(client, "/v1/recipients", officer, name="Budi")

    again = await asked(
        client, "POST", "/v1/recipients", officer, {"name": "C", "external_id": "E1"}
    )
    taken = await asked(
        client, "PATCH", f"/v1/recipients/{budi['id']}", officer, {"external_id": "E1"}
    )

    assert again[0] == 409
    assert taken[0] == 409
    assert await names(client, officer, "") == ["Ani", "Budi"]


async def test_who_is_deleted_is_gone(client: Client, officer: Headers) -> None:
    siti = await made(client, "/v1/recipients", officer, **SITI)
    path = f"/v1/recipients/{siti['id']}"

    assert await asked(client, "DELETE", path, officer) == (204, None)

    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"note": "x"})):
        status, _ = await asked(client, method, path, officer, body)
        assert status == 404
    await made(client, "/v1/recipients", officer, **SITI)


async def test_a_webhook_receiver_shows_its_secret_to_those_who_may_change_it(
    client: Client, officer: Headers, auditor: Headers
) -> None:
    url = "https://hooks.example.org/in"
    point = {"channel": "webhook", "address": url}
    hook = await made(client, "/v1/recipients", officer, name="Panel", contact_points=[point])

    _, seen = await asked(client, "GET", f"/v1/recipients/{hook['id']}", auditor)

    assert hook["contact_points"][0]["signing_secret"] == signing_secret(KEYRING, url)
    assert seen["contact_points"][0]["signing_secret"] is None
    assert "/in" not in seen["contact_points"][0]["address"]


async def test_each_role_does_what_it_may(
    client: Client, officer: Headers, auditor: Headers, integration: Headers
) -> None:
    siti = await made(client, "/v1/recipients", officer, **SITI)
    path = f"/v1/recipients/{siti['id']}"

    status, seen = await asked(client, "GET", path, auditor)

    assert status == 200
    assert addresses(seen) == [
        ("sms", "+62…90"),
        ("email", "S…@example.org"),
        ("voice", "+62…90"),
    ]
    for key in (auditor, integration):
        for method in ("PATCH", "DELETE"):
            status, _ = await asked(client, method, path, key, {} if method == "PATCH" else None)
            assert status == 403
        status, _ = await asked(client, "POST", "/v1/recipients", key, {"name": "X"})
        assert status == 403
    assert (await asked(client, "GET", path, integration))[0] == 403


async def test_wrong_method_of_a_path_that_an_id_fits_as_well_is_no_missing_thing(
    client: Client, officer: Headers
) -> None:
    async with client.get("/v1/recipients/import", headers=officer) as answer:
        await answer.read()

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
