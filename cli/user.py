"""`kentongan user`: who may log in to the console, and the way back in for whoever cannot."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from cli.configured import configured
from cli.errors import CommandError, Exit
from cli.key import word
from cli.on_ledger import ACTOR, on_ledger
from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.clock import to_datetime
from kentongan.passwords import hash_password, new_password
from ledger import audit, sessions, users
from ledger.engine import Db, Ledger
from ledger.users import User

T = TypeVar("T")
Arguments = argparse.Namespace
Environ = Mapping[str, str]

PAGE = 200


def add(arguments: Arguments, environ: Environ) -> Exit:
    """Make a user and print their one-time password: on its own to stdout, and never again."""
    login = _login(arguments.login)
    role = word(Role, "--role", arguments.role)
    if role is Role.INTEGRATION:
        raise CommandError(
            "A system is no user: make it a key (`kentongan key create`).", Exit.USAGE
        )
    modes = [word(Mode, "--modes", mode.strip()) for mode in arguments.modes.split(",")]
    locale = configured(environ).settings.default_locale
    password = new_password()
    kept = hash_password(password)

    async def work(db: Db) -> User | None:
        user = await users.add(
            db,
            login=login,
            name=arguments.name or login,
            role=role,
            modes=modes,
            locale=locale,
            password_hash=kept,
            created_by=ACTOR,
        )
        if user:
            await _note(db, "user.create", user, {"role": role, "modes": sorted(modes)})
        return user

    user = _write(environ, work)
    if user is None:
        raise CommandError(f"{login} is taken; `kentongan user list` shows by whom.", Exit.INPUT)
    return _told(user, password, as_json=arguments.json)


def list_users(arguments: Arguments, environ: Environ) -> Exit:
    """Print all users in the order of their making, the disabled ones too."""
    everybody = _on(environ, _all)
    if arguments.json:
        print(json.dumps({"users": [_shown(user) for user in everybody]}, ensure_ascii=False))
        return Exit.DONE
    for user in everybody:
        modes = ",".join(sorted(user.modes))
        print(f"{user.id}  {user.login}  {user.role}  {modes}{_state(user)}")
    return Exit.DONE


def reset(arguments: Arguments, environ: Environ) -> Exit:
    """Give a user a new one-time password and end their sessions; print it, once."""
    password = new_password()
    kept = hash_password(password)

    async def work(db: Db) -> User:
        user = await _known(db, arguments.login)
        if user.disabled_at is not None:
            sentence = f"{user.login} is disabled; `kentongan user enable` lets them in again."
            raise CommandError(sentence, Exit.INPUT)
        await users.set_password(db, user.id, kept, must_change=True)
        if arguments.forget_codes:
            await users.set_totp(db, user.id, None)
        ended = await sessions.revoke_all(db, user.id)
        detail = {"sessions": ended, "codes_forgotten": arguments.forget_codes}
        await _note(db, "user.reset", user, detail)
        return user

    return _told(_write(environ, work), password, as_json=arguments.json)


def disable(arguments: Arguments, environ: Environ) -> Exit:
    """Let a user in no more; their sessions end at once."""
    return _switch(arguments, environ, users.disable, "disabled")


def enable(arguments: Arguments, environ: Environ) -> Exit:
    """Let a disabled user in again, with the password that they had."""
    return _switch(arguments, environ, users.enable, "enabled")


def _switch(
    arguments: Arguments,
    environ: Environ,
    switch: Callable[[Db, str], Awaitable[bool]],
    state: str,
) -> Exit:
    async def work(db: Db) -> tuple[User, bool]:
        user = await _known(db, arguments.login)
        did = await switch(db, user.id)
        if did:
            await _note(db, f"user.{state.removesuffix('d')}", user, {})
        return user, did

    user, did = _write(environ, work)
    if arguments.json:
        print(json.dumps({"id": user.id, "login": user.login, "changed": did}))
    else:
        print(f"{user.login} is {state}." if did else f"{user.login} was {state} before.")
    return Exit.DONE


def _login(given: str | None) -> str:
    if not given:
        raise CommandError("Say whose: --login.", Exit.USAGE)
    login = users.login_of(given)
    if login is None:
        sentence = f"--login {given!r}: use letters, digits, and . _ @ + - behind the first."
        raise CommandError(sentence, Exit.USAGE)
    return login


async def _known(db: Db, given: str | None) -> User:
    login = _login(given)
    held = await users.find_by_login(db, login)
    if held is None:
        raise CommandError(f"Nobody has the login {login}.", Exit.NOT_FOUND)
    return held.user


async def _note(db: Db, action: str, user: User, detail: Mapping[str, object]) -> None:
    await audit.add(db, actor=ACTOR, action=action, subject=user.id, detail=detail)


async def _all(ledger: Ledger) -> list[User]:
    found: list[User] = []
    while True:
        async with ledger.read() as db:
            page = await users.page(db, after=found[-1].id if found else "", limit=PAGE)
        found += page
        if len(page) < PAGE:
            return found


def _write(environ: Environ, work: Callable[[Db], Awaitable[T]]) -> T:
    async def within(ledger: Ledger) -> T:
        async with ledger.write() as db:
            return await work(db)

    return _on(environ, within)


def _on(environ: Environ, work: Callable[[Ledger], Awaitable[T]]) -> T:
    return asyncio.run(on_ledger(configured(environ).settings.database_url, work))


def _told(user: User, password: str, *, as_json: bool) -> Exit:
    if as_json:
        print(json.dumps({"id": user.id, "login": user.login, "one_time_password": password}))
    else:
        print(password)
    return Exit.DONE


def _shown(user: User) -> dict[str, object]:
    off = user.disabled_at
    return {
        "id": user.id,
        "login": user.login,
        "name": user.name,
        "role": user.role,
        "modes": sorted(user.modes),
        "asks_for_codes": user.has_totp,
        "must_change_password": user.must_change,
        "created_at": to_datetime(user.created_at).isoformat(),
        "created_by": user.created_by,
        "disabled_at": None if off is None else to_datetime(off).isoformat(),
    }


def _state(user: User) -> str:
    if user.disabled_at is not None:
        return "  disabled"
    return "  one-time password" if user.must_change else ""
