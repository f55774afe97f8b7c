"""Those who work here: login, role and modes, and what their password and code are held to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.ids import UserId, new_id
from ledger.dialect import db_now, insert_or_skip
from ledger.engine import read_now
from ledger.schema_users import sessions, users

#: What an e-mail address may be as well, as far as people have them.
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who works here. Times in epoch microseconds."""

    id: UserId
    login: str
    name: str
    role: Role
    modes: frozenset[Mode]
    locale: str
    has_totp: bool
    must_change: bool  # the password is a one-time one
    created_at: int
    created_by: str
    disabled_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A user with what proves that it is they."""

    user: User
    password_hash: str = field(repr=False)
    totp_secret: str | None = field(repr=False)
    totp_counter: int | None  # of the last code that was used


def login_of(given: str) -> str | None:
    """Return a login as it is kept: lower case, without blanks around; None for what can be none.

    Letters, digits, and `. _ @ + -` behind the first; at most 100.
    """
    login = given.strip().lower()
    return login if _LOGIN.fullmatch(login) else None


async def add(
    db: AsyncConnection,
    *,
    login: str,
    name: str,
    role: Role,
    modes: Iterable[Mode],
    password_hash: str,
    created_by: str,
    locale: str,
    must_change: bool = True,
) -> User | None:
    """Keep a new user; None: the login is taken."""
    kept = login_of(login)
    if kept is None:
        raise ValueError(f"{login!r} can be nobody's login")
    if role is Role.INTEGRATION:
        raise ValueError("a system has a key, and is no user")
    row = {
        "id": new_id("user"),
        "login": kept,
        "name": name,
        "role": role,
        "modes": sorted(modes),
        "locale": locale,
        "password_hash": password_hash,
        "must_change": must_change,
        "created_at": await read_now(db),
        "created_by": created_by,
    }
    made = await db.execute(insert_or_skip(db, users).values(row).returning(users))
    found = made.first()
    return user_of(found) if found else None


async def find(db: AsyncConnection, user_id: str) -> Held | None:
    """Return a user, disabled or not."""
    row = (await db.execute(select(users).where(users.c.id == user_id))).first()
    return _held(row) if row else None


async def find_by_login(db: AsyncConnection, login: str) -> Held | None:
    """Return whoever has this login, in whatever case it was typed; disabled or not."""
    kept = login_of(login)
    if kept is None:
        return None
    row = (await db.execute(select(users).where(users.c.login == kept))).first()
    return _held(row) if row else None


async def page(db: AsyncConnection, *, after: str = "", limit: int) -> list[User]:
    """Return users in the order of their making, those behind the id `after`."""
    rows = await db.execute(
        select(users).where(users.c.id > after).order_by(users.c.id).limit(limit)
    )
    return [user_of(row) for row in rows]


async def any_users(db: AsyncConnection) -> bool:
    """Tell whether anybody was ever added."""
    return (await db.execute(select(users.c.id).limit(1))).first() is not None


async def change(
    db: AsyncConnection,
    user_id: str,
    *,
    name: str | None = None,
    role: Role | None = None,
    modes: Iterable[Mode] | None = None,
    locale: str | None = None,
) -> User | None:
    """Change what is given; None: there is no such user. It holds from the next request on."""
    if role is Role.INTEGRATION:
        raise ValueError("a system has a key, and is no user")
    given = {
        "name": name,
        "role": role,
        "modes": None if modes is None else sorted(modes),
        "locale": locale,
    }
    values = {key: value for key, value in given.items() if value is not None}
    if not values:
        held = await find(db, user_id)
        return held.user if held else None
    changed = update(users).where(users.c.id == user_id).values(values).returning(users)
    row = (await db.execute(changed)).first()
    return user_of(row) if row else None


async def set_password(
    db: AsyncConnection, user_id: str, password_hash: str, *, must_change: bool = False
) -> bool:
    """Keep a new password's hash. False: there is no such user."""
    values = {"password_hash": password_hash, "must_change": must_change}
    return await _set(db, user_id, values)


async def set_totp(
    db: AsyncConnection, user_id: str, secret: str | None, counter: int | None = None
) -> bool:
    """Ask for codes of `secret` from now on, later ones than `counter`; None: ask for none."""
    return await _set(db, user_id, {"totp_secret": secret, "totp_counter": counter})


async def note_totp(db: AsyncConnection, user_id: str, counter: int) -> bool:
    """Use up a code. False: it, or a later one, was used before; it opens nothing then."""
    is_later = or_(users.c.totp_counter.is_(None), users.c.totp_counter < counter)
    done = await db.execute(
        update(users).where(users.c.id == user_id, is_later).values(totp_counter=counter)
    )
    return done.rowcount > 0


async def disable(db: AsyncConnection, user_id: str) -> bool:
    """Let a user in no more, and end their sessions. False: there is none, or it was so."""
    done = await db.execute(
        update(users)
        .where(users.c.id == user_id, users.c.disabled_at.is_(None))
        .values(disabled_at=db_now())
    )
    await db.execute(
        update(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None))
        .values(revoked_at=db_now())
    )
    return done.rowcount > 0


async def enable(db: AsyncConnection, user_id: str) -> bool:
    """Let a disabled user in again. False: there is none, or it was not disabled."""
    done = await db.execute(
        update(users)
        .where(users.c.id == user_id, users.c.disabled_at.is_not(None))
        .values(disabled_at=None)
    )
    return done.rowcount > 0


async def _set(db: AsyncConnection, user_id: str, values: dict[str, Any]) -> bool:
    done = await db.execute(update(users).where(users.c.id == user_id).values(values))
    return done.rowcount > 0


def _held(row: Row[Any]) -> Held:
    return Held(
        user=user_of(row),
        password_hash=row.password_hash,
        totp_secret=row.totp_secret,
        totp_counter=row.totp_counter,
    )


def user_of(row: Row[Any]) -> User:
    """Return the user whose columns stand in a row."""
    return User(
        id=UserId(row.id),
        login=row.login,
        name=row.name,
        role=Role(row.role),
        modes=frozenset(Mode(mode) for mode in row.modes),
        locale=row.locale,
        has_totp=row.totp_secret is not None,
        must_change=row.must_change,
        created_at=row.created_at,
        created_by=row.created_by,
        disabled_at=row.disabled_at,
    )
