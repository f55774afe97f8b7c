"""Keys are shown once, do what their role may, and stop when they are revoked."""

from typing import Any

import pytest

from kentongan.access import Role
from ledger import audit
from ledger.engine import Ledger
from service.access import FAILURES_PER_MINUTE
from tests.fakes.house import KEYRING, Client, Headers, key_of

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

    async with client.get("/v1/self", headers=bearer(key)) as answer:
        itself = await answer.json()
    async with client.get(f"/v1/keys/{key['id']}", headers=admin) as answer:
        told = await answer.text()

    assert itself["name"] == "Duty officer"
    assert itself["modes"] == ["actual", "exercise"]
    assert key["key"] not in told
    assert key["key"].startswith(key["prefix"])


async def test_list_pages_through_all_keys_once(client: Client, admin: Headers) -> None:
    for number in range(4):
        await made(client, admin, name=f"key {number}")

    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        async with client.get(f"/v1/keys?limit=2&cursor={cursor}", headers=admin) as answer:
            page = await answer.json()
        names += [key["name"] for key in page["keys"]]
        cursor = page["next"]

    assert names == ["a test's admin", *(f"key {number}" for number in range(4))]


async def test_revoked_key_is_refused_like_one_that_never_was(
    client: Client, admin: Headers
) -> None:
    key = await made(client, admin)
    assert await status(client, "/v1/self", bearer(key)) == 200

    async with client.delete(f"/v1/keys/{key['id']}", headers=admin) as answer:
        assert answer.status == 204
    async with client.get("/v1/self", headers=bearer(key)) as answer:
        revoked = await answer.text()
    never = {"Authorization": f"Bearer ktg_AAAAAAAA_{'A' * 43}"}
    async with client.get("/v1/self", headers=never) as unknown:
        assert unknown.status == answer.status == 401
        assert await unknown.text() == revoked
        assert unknown.headers["WWW-Authenticate"].startswith("Bearer")


async def test_key_cannot_lock_its_own_holder_out(client: Client, admin: Headers) -> None:
    async with client.get("/v1/self", headers=admin) as answer:
        own = (await answer.json())["id"]

    async with client.delete(f"/v1/keys/{own}", headers=admin) as answer:
        assert answer.status == 409
    assert await status(client, "/v1/self", admin) == 200


async def test_rotated_key_works_beside_the_new_one_for_the_overlap(
    client: Client, admin: Headers
) -> None:
    old = await made(client, admin, role="officer")

    async with client.post(
        f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 3600}, headers=admin
    ) as answer:
        new = await answer.json()

    assert answer.status == 201
    assert new["replaces"] == old["id"]
    assert (new["role"], new["modes"]) == (old["role"], old["modes"])
    assert await status(client, "/v1/self", bearer(old)) == 200
    assert await status(client, "/v1/self", bearer(new)) == 200


async def test_rotation_without_overlap_closes_the_old_key_at_once(
    client: Client, admin: Headers
) -> None:
    old = await made(client, admin)

    async with client.post(
        f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 0}, headers=admin
    ) as answer:
        new = await answer.json()
    async with client.post(
        f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 0}, headers=admin
    ) as again:
        assert again.status == 409

    assert await status(client, "/v1/self", bearer(old)) == 401
    assert await status(client, "/v1/self", bearer(new)) == 200


async def test_rotation_carries_the_end_of_a_key_on_and_happens_once(
    client: Client, admin: Headers
) -> None:
    old = await made(client, admin, expires_at="2099-01-01T00:00:00Z")

    async with client.post(
        f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 60}, headers=admin
    ) as answer:
        new = await answer.json()
    async with client.post(
        f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 60}, headers=admin
    ) as again:
        refused = await again.json()

    assert new["expires_at"] == old["expires_at"]
    assert (again.status, refused["fix"]) == (409, "Rotate its successor.")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_an_admin_sees_or_makes_keys(
    client: Client, request: pytest.FixtureRequest, role: Role
) -> None:
    headers = await key_of(request.getfixturevalue("ledger"), role, groups=("north",))

    async with client.post("/v1/keys", json=OFFICER, headers=headers) as answer:
        assert answer.status == 403
    assert await status(client, "/v1/keys", headers) == 403
    assert await status(client, "/v1/self", headers) == 200


async def test_integration_is_bounded_and_nobody_else_is(client: Client, admin: Headers) -> None:
    unbounded = OFFICER | {"role": "integration"}
    bounded = OFFICER | {"groups": ["north"]}

    for body in (unbounded, bounded):
        async with client.post("/v1/keys", json=body, headers=admin) as answer:
            told = await answer.json()
        assert answer.status == 422
        assert "ceilings" in told["errors"][0]["fix"] or "people" in told["errors"][0]["fix"]

    key = await made(
        client, admin, role="integration", groups=["north"], people_per_alert=5, people_per_hour=9
    )
    assert key["groups"] == ["north"]


async def test_expiry_in_the_past_is_refused(client: Client, admin: Headers) -> None:
    body = OFFICER | {"expires_at": "2020-01-01T00:00:00Z"}

    async with client.post("/v1/keys", json=body, headers=admin) as answer:
        assert answer.status == 422


@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "Bearer x", "Basic YTpi", "bearer ktg_", "Bearer ktg_AAAAAAAA_short",
     "Bearer é", "ktg_AAAAAAAA_" + "A" * 43],
)  # fmt: skip
async def test_anything_but_a_good_key_is_unauthorised(client: Client, sent: str) -> None:
    assert await status(client, "/v1/self", {"Authorization": sent}) == 401


async def test_guessing_is_slowed_down_and_hinders_nobody_else(
    client: Client, admin: Headers
) -> None:
    guesses = [f"ktg_{number:08d}_{'A' * 43}" for number in range(FAILURES_PER_MINUTE + 1)]
    assert await status(client, "/v1/self", admin) == 200

    seen = [
        await status(client, "/v1/self", {"Authorization": f"Bearer {guess}"}) for guess in guesses
    ]
    async with client.get("/v1/self", headers={"Authorization": f"Bearer {guesses[0]}"}) as answer:
        wait = int(answer.headers["Retry-After"])

    assert seen == [401] * FAILURES_PER_MINUTE + [429]
    assert 1 <= wait <= 60
    assert await status(client, "/v1/self", admin) == 200


async def test_officer_behind_the_proxy_of_a_guesser_is_let_in_at_the_first_call(
    client: Client, officer: Headers
) -> None:
    seen: list[int] = []
    for number in range(FAILURES_PER_MINUTE + 5):
        guess = {"Authorization": f"Bearer ktg_{number:08d}_{'A' * 43}"}
        seen.append(await status(client, "/v1/self", guess))

    assert seen[-1] == 429
    assert await status(client, "/v1/self", officer) == 200


async def test_deeds_are_audited_without_the_secret(
    client: Client, admin: Headers, ledger: Ledger
) -> None:
    key = await made(client, admin)
    async with client.delete(f"/v1/keys/{key['id']}", headers=admin) as answer:
        assert answer.status == 204

    await audit.chain_all(ledger, KEYRING)
    verdict = await audit.verify(ledger, KEYRING)

    assert verdict.is_sound
    assert verdict.links == 2
