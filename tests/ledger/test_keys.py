"""Keys are found by their public part, and nothing that opens a door is kept."""

import pytest
from sqlalchemy import text

from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.clock import seconds
from ledger import keys
from ledger.engine import Ledger, read_now
from ledger.keys import Key


async def added(ledger: Ledger, secret: str, expires_at: int | None = None) -> Key:
    async with ledger.write() as db:
        return await keys.add(
            db,
            secret,
            name="x",
            role=Role.OFFICER,
            modes=[Mode.TEST],
            created_by="tests",
            expires_at=expires_at,
        )


async def test_key_is_found_and_verified_but_not_kept(ledger: Ledger) -> None:
    secret = keys.new_secret()
    made = await added(ledger, secret)

    async with ledger.read() as db:
        held = await keys.find_by_prefix(db, keys.prefix_of(secret) or "")
        rows = (await db.execute(text("SELECT * FROM api_keys"))).all()

    assert held is not None
    assert held.key == made
    assert keys.is_genuine(secret, held.hash)
    assert not keys.is_genuine(keys.new_secret(), held.hash)
    assert secret.rpartition("_")[2] not in str(rows)


async def test_ensured_key_is_made_once(ledger: Ledger) -> None:
    secret = keys.new_secret()

    first = await keys.ensure(ledger, secret, name="up", role=Role.ADMIN)
    second = await keys.ensure(ledger, secret, name="up", role=Role.ADMIN)

    assert first == second
    assert first.modes == frozenset(Mode)


async def test_revoked_and_expired_keys_are_not_good(ledger: Ledger) -> None:
    now = await ledger.now()
    revoked = await added(ledger, keys.new_secret())
    brief = await added(ledger, keys.new_secret(), expires_at=now + seconds(60))

    async with ledger.write() as db:
        assert await keys.revoke(db, revoked.id, now)
        assert not await keys.revoke(db, revoked.id, now)
        assert not await keys.end(db, revoked.id, now=now, at=now)
        found = await keys.find(db, revoked.id)

    assert found is not None
    assert not found.is_good(now)
    assert brief.is_good(now)
    assert not brief.is_good(now + seconds(60))


async def test_last_use_only_moves_forward(ledger: Ledger) -> None:
    key = await added(ledger, keys.new_secret())

    async with ledger.write() as db:
        now = await read_now(db)
        await keys.touch(db, {key.id: now})
        await keys.touch(db, {key.id: now - 5})
        found = await keys.find(db, key.id)

    assert found is not None
    assert found.last_used_at == now


async def test_pages_come_in_the_order_of_making(ledger: Ledger) -> None:
    made = [(await added(ledger, keys.new_secret())).id for _ in range(3)]

    async with ledger.read() as db:
        first = await keys.page(db, after="", limit=2)
        rest = await keys.page(db, after=first[-1].id, limit=2)

    assert [key.id for key in first + rest] == sorted(made)


@pytest.mark.parametrize("secret", ["", "ktg_", "ktg_AAAAAAAA_x", "xtg_AAAAAAAA_" + "A" * 43])
def test_what_is_no_key_has_no_prefix(secret: str) -> None:
    assert keys.prefix_of(secret) is None


def test_secrets_are_256_random_bits_each() -> None:
    made = {keys.new_secret() for _ in range(1000)}

    assert len(made) == 1000
    assert all(len(secret) == 4 + 8 + 1 + 43 and keys.prefix_of(secret) for secret in made)
