"""A session is found by its token's hash alone, while it, its user and its shift last."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from kentongan.access import Role
from kentongan.clock import seconds
from ledger import sessions, users
from ledger.engine import SERVICE_PATIENCE, Ledger
from ledger.sessions import Session
from ledger.users import User
from tests.fakes.users import added, logged_in


@pytest.fixture
async def next_week(url: str) -> AsyncIterator[Ledger]:
    """The same ledger, seven days and an hour later."""
    opened = Ledger.open(url, patience=SERVICE_PATIENCE, clock_offset=7 * 86_400 + 3600)
    yield opened
    await opened.close()


async def found(ledger: Ledger, token: str) -> tuple[Session, User] | None:
    async with ledger.read() as db:
        return await sessions.find(db, token)


async def session_of(ledger: Ledger, token: str) -> Session:
    both = await found(ledger, token)
    assert both is not None
    return both[0]


async def test_session_is_found_by_its_token_which_is_not_kept(ledger: Ledger) -> None:
    user = await added(ledger)
    token = sessions.new_token()
    async with ledger.write() as db:
        begun = await sessions.begin(db, user.id, token, "Firefox", now := await ledger.now())

    async with ledger.read() as db:
        kept = (await db.execute(text("SELECT * FROM sessions"))).one()

    assert await found(ledger, token) == (begun, user)
    assert begun.until_at == now + seconds(12 * 3600)
    assert token not in str(kept)
    assert await found(ledger, kept.token_hash) is None


@pytest.mark.parametrize("token", ["", "\0", "\udc80", "x" * 5000])
async def test_what_is_no_token_finds_nothing(ledger: Ledger, token: str) -> None:
    await logged_in(ledger, await added(ledger))

    assert await found(ledger, token) is None


async def test_session_ends_with_its_shift(ledger: Ledger, later: Ledger) -> None:
    token = await logged_in(ledger, await added(ledger))

    assert await found(ledger, token)
    assert await found(later, token) is None


async def test_revoked_session_is_over_and_others_go_on(ledger: Ledger) -> None:
    user = await added(ledger)
    one, other = await logged_in(ledger, user), await logged_in(ledger, user)
    session = await session_of(ledger, one)

    async with ledger.write() as db:
        assert await sessions.revoke(db, session.id)
        assert not await sessions.revoke(db, session.id)
        assert not await sessions.authenticated_again(db, session.id, await ledger.now())

    assert await found(ledger, one) is None
    assert await found(ledger, other)


async def test_all_sessions_of_one_user_end_at_once(ledger: Ledger) -> None:
    user, colleague = await added(ledger), await added(ledger, "budi")
    here, there = await logged_in(ledger, user), await logged_in(ledger, user)
    elsewhere = await logged_in(ledger, colleague)

    async with ledger.write() as db:
        kept = await sessions.find(db, here)
        assert kept is not None
        assert await sessions.revoke_all(db, user.id, but=kept[0].id) == 1
    assert await found(ledger, here)
    assert await found(ledger, there) is None

    async with ledger.write() as db:
        assert await sessions.revoke_all(db, user.id) == 1
    assert await found(ledger, here) is None
    assert await found(ledger, elsewhere)


async def test_disabled_user_is_in_no_session(ledger: Ledger) -> None:
    user = await added(ledger)
    token = await logged_in(ledger, user)

    async with ledger.write() as db:
        await users.disable(db, user.id)
    assert await found(ledger, token) is None

    async with ledger.write() as db:
        assert await users.enable(db, user.id)
        assert not await users.enable(db, user.id)
    assert await found(ledger, token) is None
    assert await found(ledger, await logged_in(ledger, user))


async def test_change_of_role_holds_in_a_session_that_stands(ledger: Ledger) -> None:
    user = await added(ledger, role=Role.ADMIN)
    token = await logged_in(ledger, user)

    async with ledger.write() as db:
        await users.change(db, user.id, role=Role.AUDITOR)

    both = await found(ledger, token)
    assert both is not None
    assert both[1].role is Role.AUDITOR


async def test_use_is_noted_once_a_minute(ledger: Ledger) -> None:
    token = await logged_in(ledger, await added(ledger))
    begun = await session_of(ledger, token)
    soon, then = begun.seen_at + seconds(59), begun.seen_at + seconds(60)

    async with ledger.write() as db:
        assert not await sessions.seen(db, begun.id, soon)
        assert await sessions.seen(db, begun.id, then)
        assert not await sessions.seen(db, begun.id, soon)

    assert (await session_of(ledger, token)).seen_at == then


async def test_password_given_again_makes_the_session_fresh(ledger: Ledger) -> None:
    token = await logged_in(ledger, await added(ledger))
    begun = await session_of(ledger, token)
    then = begun.made_at + seconds(9 * 3600)

    async with ledger.write() as db:
        assert await sessions.authenticated_again(db, begun.id, then)

    again = await session_of(ledger, token)
    assert (again.authenticated_at, again.until_at) == (then, begun.until_at)


async def test_sessions_are_forgotten_a_week_after_their_end(
    ledger: Ledger, next_week: Ledger
) -> None:
    user = await added(ledger)
    over, revoked = await logged_in(ledger, user), await logged_in(ledger, user)
    async with ledger.write() as db:
        await sessions.revoke(db, (await session_of(ledger, revoked)).id)
        assert await sessions.forget(db) == 0

    fresh = await logged_in(next_week, user)
    async with next_week.write() as db:
        assert await sessions.forget(db) == 1

    async with next_week.read() as db:
        kept = (await db.execute(text("SELECT revoked_at FROM sessions"))).scalars().all()
    assert list(kept) == [None, None]
    assert await found(ledger, over)
    assert await found(next_week, fresh)


async def test_user_sees_where_they_are_logged_in(ledger: Ledger) -> None:
    user = await added(ledger)
    first = await session_of(
        ledger, await logged_in(ledger, user, "Firefox\r\n\0\udc80é" + "x" * 300)
    )
    second = await session_of(ledger, await logged_in(ledger, user, "Chromium"))
    await logged_in(ledger, await added(ledger, "budi"))

    async with ledger.write() as db:
        assert await sessions.page_of(db, user.id) == [second, first]
        await sessions.revoke(db, second.id)
        assert await sessions.page_of(db, user.id) == [first]

    assert first.agent.startswith("Firefoxxxx")
    assert len(first.agent) == 200
