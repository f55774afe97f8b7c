"""What `kentongan up` finds the first time: an administrator, a key, and people to warn."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cli.configured import Configured
from cli.on_ledger import on_ledger
from cli.seed_people import GROUPS, PEOPLE, Example
from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.ids import GroupId
from kentongan.passwords import hash_password, new_password
from kentongan.recipient import Draft
from ledger import audit, groups, keys, recipients, users
from ledger.engine import Db, Ledger, read_now

FIRST_LOGIN = "admin"


def example(mode: Mode) -> Mapping[str, Any]:
    """Return the alert that the printed curl posts: all four channels, to `north`."""
    return {
        "mode": mode,
        "severity": "severe",
        "urgency": "immediate",
        "certainty": "observed",
        "category": ["met"],
        "template": "flood",
        "blanks": {"place": "Semarang Utara", "until": "20:00"},
        "audience": {"groups": ["north"]},
        "channels": ["sms", "voice", "email", "webhook"],
        "options": [
            {"key": "1", "label": {"en": "Safe", "id": "Aman"}},
            {"key": "2", "label": {"en": "Need help", "id": "Butuh bantuan"}},
        ],
    }


def seed(run: Configured, key: str) -> None:
    """Keep `key`; the first time, add 60 people and systems in 3 groups. Safe to run again.

    A ledger that has anybody in it, or had this key before, is left as it is.
    """
    asyncio.run(_seed(run, key))


async def _seed(run: Configured, key: str) -> None:
    ledger = Ledger.open(run.settings.database_url)
    try:
        async with ledger.write() as db:
            is_new = await _is_untouched(db, key)
            await keys.add(
                db,
                key,
                name="kentongan up",
                role=Role.ADMIN,
                modes=tuple(Mode),
                created_by="setup",
            )
            if is_new:
                await _add_people(db, run.settings.simulator_url)
    finally:
        await ledger.close()


def first_admin(run: Configured) -> str | None:
    """Make the first administrator and return their one-time password; None: there are users.

    It is nowhere but in what is returned: to be called when it can be shown at once.
    """
    return asyncio.run(on_ledger(run.settings.database_url, partial(_first_admin, run)))


async def _first_admin(run: Configured, ledger: Ledger) -> str | None:
    async with ledger.read() as db:
        if await users.any_users(db):
            return None
    password = new_password()
    kept = hash_password(password)
    async with ledger.write() as db:
        user = await users.add(
            db,
            login=FIRST_LOGIN,
            name="Administrator",
            role=Role.ADMIN,
            modes=tuple(Mode),
            locale=run.settings.default_locale,
            password_hash=kept,
            created_by="setup",
        )
        if user is None:  # another `up` on the same database was quicker
            return None
        detail = {"role": user.role, "modes": sorted(user.modes)}
        await audit.add(db, actor="setup", action="user.create", subject=user.id, detail=detail)
    return password


async def _is_untouched(db: Db, key: str) -> bool:
    """Tell whether nobody was here before; whoever deleted the examples does not want them back."""
    known = await keys.find_by_prefix(db, keys.prefix_of(key) or "")
    somebody = await recipients.page(db, limit=1)
    return not (known or somebody or await groups.page(db, limit=1))


async def _add_people(db: Db, simulator: str) -> None:
    now = await read_now(db)
    ids = await groups.ensure(db, GROUPS, now)
    await recipients.add(db, drafts(ids, simulator), now)


def drafts(ids: Mapping[str, GroupId], simulator: str) -> Sequence[Draft]:
    """Return the people of the example; `ids` are their groups' by name."""
    return [
        _draft(one, frozenset({ids[group], ids[one.also or group]}), simulator)
        for group, people in PEOPLE.items()
        for one in people
    ]


def _draft(one: Example, into: frozenset[GroupId], simulator: str) -> Draft:
    return Draft(
        name=one.name,
        locale=one.locale,
        external_id=f"example-{'-'.join(one.name.lower().split())}",
        note=one.note,
        points=tuple(one.points(simulator)),
        groups=into,
    )
