"""Users are found by their login in any case, and a code lets in once."""

import asyncio

import pytest

from kentongan.access import Role
from kentongan.alert import Mode
from ledger import users
from ledger.engine import Ledger
from ledger.users import Held
from tests.fakes.users import added, password_hash


async def held(ledger: Ledger, login: str) -> Held:
    async with ledger.read() as db:
        found = await users.find_by_login(db, login)
    assert found is not None
    return found


async def test_user_is_found_by_login_in_any_case(ledger: Ledger) -> None:
    made = await added(ledger, "Siti@Example.org", modes=[Mode.TEST, Mode.EXERCISE])

    found = await held(ledger, " sITI@example.ORG ")

    assert found.user == made
    assert found.user.login == "siti@example.org"
    assert found.user.modes == {Mode.TEST, Mode.EXERCISE}
    assert found.password_hash == password_hash()
    assert password_hash() not in repr(found)
    async with ledger.read() as db:
        assert await users.find(db, made.id) == found


async def test_logins_are_unique_whatever_their_case(ledger: Ledger) -> None:
    await added(ledger, "siti")

    async with ledger.write() as db:
        again = await users.add(
            db,
            login="SITI",
            name="Another",
            role=Role.ADMIN,
            modes=[],
            locale="id",
            password_hash="",
            created_by="tests",
        )

    assert again is None
    assert (await held(ledger, "siti")).user.role is Role.OFFICER


@pytest.mark.parametrize("login", ["", " ", "si ti", "a\0b", "\udc80", "sítí", "x" * 101, "-x"])
async def test_what_can_be_no_login_is_nobodys(ledger: Ledger, login: str) -> None:
    async with ledger.read() as db:
        assert await users.find_by_login(db, login) is None
    with pytest.raises(ValueError, match="login"):
        await added(ledger, login)


async def test_no_user_is_a_system(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="key"):
        await added(ledger, role=Role.INTEGRATION)
    made = await added(ledger)

    async with ledger.write() as db:
        with pytest.raises(ValueError, match="key"):
            await users.change(db, made.id, role=Role.INTEGRATION)


async def test_only_what_is_given_changes(ledger: Ledger) -> None:
    made = await added(ledger, modes=[Mode.TEST])

    async with ledger.write() as db:
        changed = await users.change(db, made.id, role=Role.AUDITOR, modes=[])
        same = await users.change(db, made.id)
        nobody = await users.change(db, "usr_nobody", name="x")

    assert changed == same
    assert changed is not None
    assert (changed.role, changed.modes, changed.name) == (Role.AUDITOR, frozenset(), made.name)
    assert nobody is None


async def test_new_password_takes_the_place_of_the_one_time_one(ledger: Ledger) -> None:
    made = await added(ledger, must_change=True)

    async with ledger.write() as db:
        assert await users.set_password(db, made.id, "another hash")
        assert not await users.set_password(db, "usr_nobody", "another hash")

    found = await held(ledger, "siti")
    assert (found.password_hash, found.user.must_change) == ("another hash", False)


async def test_code_serves_once_even_when_two_ask_at_the_same_time(ledger: Ledger) -> None:
    made = await added(ledger)
    async with ledger.write() as db:
        await users.set_totp(db, made.id, "A" * 32, counter=10)

    async def use(counter: int) -> bool:
        async with ledger.write() as db:
            return await users.note_totp(db, made.id, counter)

    used = await asyncio.gather(*(use(11) for _ in range(5)))

    assert sorted(used) == [False, False, False, False, True]
    assert not await use(10)
    found = await held(ledger, "siti")
    assert found.user.has_totp
    assert (found.totp_secret, found.totp_counter) == ("A" * 32, 11)


async def test_codes_are_asked_for_no_more_when_the_secret_is_gone(ledger: Ledger) -> None:
    made = await added(ledger)
    async with ledger.write() as db:
        await users.set_totp(db, made.id, "A" * 32, counter=10)
        await users.set_totp(db, made.id, None)

    found = await held(ledger, "siti")
    assert not found.user.has_totp
    assert found.totp_counter is None


async def test_user_is_disabled_once(ledger: Ledger) -> None:
    made = await added(ledger)

    async with ledger.write() as db:
        assert await users.disable(db, made.id)
        assert not await users.disable(db, made.id)
        assert not await users.disable(db, "usr_nobody")

    assert (await held(ledger, "siti")).user.disabled_at is not None


async def test_pages_come_in_the_order_of_making(ledger: Ledger) -> None:
    async with ledger.read() as db:
        assert not await users.any_users(db)
    made = [await added(ledger, login) for login in ("citra", "adi", "budi")]

    async with ledger.read() as db:
        assert await users.any_users(db)
        first = await users.page(db, limit=2)
        rest = await users.page(db, after=first[-1].id, limit=2)

    assert first + rest == made
