"""`kentongan user` lets people in and keeps them out, and says so in the audit."""

import asyncio
import json
from typing import Any

import pytest

from cli.errors import Exit
from cli.main import main
from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.passwords import is_right
from ledger import audit_pages, users
from ledger.engine import Ledger
from ledger.users import Held
from tests.fakes.users import logged_in

Shown = pytest.CaptureFixture[str]


def held(url: str, login: str = "siti") -> Held:
    async def look(ledger: Ledger) -> Held | None:
        async with ledger.read() as db:
            return await users.find_by_login(db, login)

    found: Held | None = asyncio.run(at(url, look))
    assert found is not None
    return found


def deeds(url: str) -> list[tuple[str, str, str]]:
    async def look(ledger: Ledger) -> list[tuple[str, str, str]]:
        async with ledger.read() as db:
            page = await audit_pages.page(db, limit=100)
        return [(one.actor, one.action, one.subject) for one in page]

    found: list[tuple[str, str, str]] = asyncio.run(at(url, look))
    return found


async def at(url: str, look: Any) -> Any:
    ledger = Ledger.open(url)
    try:
        return await look(ledger)
    finally:
        await ledger.close()


def test_user_is_made_with_a_password_that_is_printed_and_not_kept(url: str, capsys: Shown) -> None:
    line = "user add --login Siti@Example.org --name Siti --role auditor --modes test,exercise"

    assert main(line.split()) == Exit.DONE

    password = capsys.readouterr().out.strip()
    made = held(url, "siti@example.org")
    assert is_right(password, made.password_hash)
    assert made.user.must_change
    assert (made.user.name, made.user.role) == ("Siti", Role.AUDITOR)
    assert made.user.modes == {Mode.TEST, Mode.EXERCISE}
    assert made.user.locale == "id"
    assert deeds(url) == [("command line", "user.create", made.user.id)]


REFUSED = [
    ("user add", Exit.USAGE, "--login"),
    ("user add --login si/ti", Exit.USAGE, "si/ti"),
    ("user add --login budi --role king", Exit.USAGE, "use one of"),
    ("user add --login budi --role integration", Exit.USAGE, "key create"),
    ("user add --login budi --modes war", Exit.USAGE, "use one of"),
    ("user add --login SITI", Exit.INPUT, "taken"),
    ("user reset --login budi", Exit.NOT_FOUND, "budi"),
    ("user disable --login budi", Exit.NOT_FOUND, "budi"),
    ("user disable", Exit.USAGE, "--login"),
]


def test_what_cannot_be_done_changes_nothing_and_says_why(url: str, capsys: Shown) -> None:
    main(["user", "add", "--login", "siti"])
    before = deeds(url)
    capsys.readouterr()

    for line, code, said in REFUSED:
        assert main(line.split()) == code, line
        told = capsys.readouterr()
        assert said in told.err
        assert not told.out

    assert deeds(url) == before


def test_reset_gives_a_new_password_and_ends_all_sessions(url: str, capsys: Shown) -> None:
    main(["user", "add", "--login", "siti"])
    first = capsys.readouterr().out.strip()
    user = held(url).user

    async def log_in(ledger: Ledger) -> None:
        await logged_in(ledger, user)
        async with ledger.write() as db:
            await users.set_totp(db, user.id, "A" * 32)

    asyncio.run(at(url, log_in))
    assert main(["user", "reset", "--login", "siti", "--json"]) == Exit.DONE

    second = json.loads(capsys.readouterr().out)["one_time_password"]
    now = held(url)
    assert not is_right(first, now.password_hash)
    assert is_right(second, now.password_hash)
    assert now.user.must_change
    assert now.user.has_totp
    assert deeds(url)[-1] == ("command line", "user.reset", user.id)

    main(["user", "reset", "--login", "siti", "--forget-codes"])
    assert not held(url).user.has_totp


def test_user_is_disabled_and_enabled_again(url: str, capsys: Shown) -> None:
    main(["user", "add", "--login", "siti"])

    assert main(["user", "disable", "--login", "siti"]) == Exit.DONE
    assert main(["user", "disable", "--login", "siti", "--json"]) == Exit.DONE
    assert held(url).user.disabled_at is not None
    assert main(["user", "reset", "--login", "siti"]) == Exit.INPUT

    assert main(["user", "enable", "--login", "siti"]) == Exit.DONE
    assert held(url).user.disabled_at is None
    assert [action for _, action, _ in deeds(url)] == ["user.create", "user.disable", "user.enable"]
    assert "siti was disabled before" not in capsys.readouterr().out


def test_all_users_are_listed_for_people_and_for_programs(url: str, capsys: Shown) -> None:
    for login in ("siti", "budi"):
        main(["user", "add", "--login", login, "--modes", "test"])
    main(["user", "disable", "--login", "budi"])
    capsys.readouterr()

    assert main(["user", "list"]) == Exit.DONE
    siti, budi = capsys.readouterr().out.splitlines()
    assert siti == f"{held(url).user.id}  siti  officer  test  one-time password"
    assert budi.endswith("  budi  officer  test  disabled")

    assert main(["user", "list", "--json"]) == Exit.DONE
    told = json.loads(capsys.readouterr().out)["users"]
    assert [(one["login"], one["disabled_at"] is None) for one in told] == [
        ("siti", True),
        ("budi", False),
    ]
    assert "scrypt" not in json.dumps(told)


def test_database_that_is_away_is_no_fault_of_the_call(
    monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.setenv("KENTONGAN_DATABASE_URL", "postgresql://u:secret@127.0.0.1:9/x")

    assert main(["user", "list"]) == Exit.UNREACHABLE

    assert "secret" not in capsys.readouterr().err
