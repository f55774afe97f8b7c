"""Keys are shown once, do what their role may, and stop when they are revoked."""

from typing import Any

import pytest

from kentongan.access import Role
from tests.fakes.house import Client, Headers

OFFICER = {"name": "Duty officer", "role": "officer", "modes": ["actual", "exercise"]}


async def made(client: Client, admin: Headers, **changes: Any) -> dict[str, Any]:
    async with client.post("/v1/keys", headers=admin, json=OFFICER | changes) as answer:
        assert answer.status == 201, await answer.text()
        return dict(await answer.json())


def bearer(key: dict[str, Any]) -> Headers:
    return {"Authorization": f"Bearer {key['key']}"}


async def status(client: Client, path: str, headers: Headers) -> int:
    async with client.get(path, headers=headers) as answer:
        return answer.status


async def test_new_key_opens_the_door_and_is_never_shown_again(
    client: Client, admin: Headers
) -> None:
    key = await made(client, admin)

    async with client.get("/v1/keys/self", headers=bearer(key)) as answer:
        itself = await answer.json()
    async with client.get(f"/v1/keys/{key['id']}", headers=admin) as answer:
        told = await answer.text()

    assert itself["name"] == "Duty officer"
    assert itself["modes"] == ["actual", "exercise"]
    assert key["key"] not in told
    assert key["key"].startswith(key["prefix"])
