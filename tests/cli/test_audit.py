"""`kentongan audit` finds what was changed, dropped, cut or never linked, and reads it all out."""

import asyncio
import csv
import io
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from cli import audit as command
from cli.errors import Exit
from cli.main import main
from kentongan.keyring import Keyring
from ledger import audit, unchained
from ledger.audit import Head
from ledger.engine import Ledger, sqlite_path

SECRET = "k" * 32
KEYRING = Keyring([SECRET])
Shown = pytest.CaptureFixture[str]


@pytest.fixture
def head(url: str, monkeypatch: pytest.MonkeyPatch) -> Head:
    """The head of a chain of five."""
    monkeypatch.setenv("KENTONGAN_SECRET_KEY", SECRET)
    return noted(url, 5)


def noted(url: str, count: int, *, chained: bool = True, subject: str = "alr_{}") -> Head:
    async def note() -> Head:
        ledger = Ledger.open(url)
        async with ledger.write() as db:
            for number in range(1, count + 1):
                await audit.add(
                    db,
                    actor="usr_1",
                    action="alert.stop",
                    subject=subject.format(number),
                    detail={"n": number},
                )
        found = await audit.chain_all(ledger, KEYRING) if chained else Head(0, "")
        await ledger.close()
        return found

    return asyncio.run(note())


def tamper(url: str, *statements: str) -> None:
    """Change the record as somebody who may do anything with the database."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url))) as db, db:
            for statement in statements:
                db.execute(statement)
        return

    async def run() -> None:
        ledger = Ledger.open(url)
        async with ledger.write() as db:
            free = "ALTER TABLE audit_chain DROP CONSTRAINT fk_audit_chain_audit_id"
            for statement in (free, *statements):
                await db.exec_driver_sql(statement)
        await ledger.close()

    asyncio.run(run())


def verified(capsys: Shown, *words: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = main(["audit", "verify", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def test_whole_chain_is_told_with_its_head(url: str, head: Head, capsys: Shown) -> None:
    assert main(["audit", "verify", "--head", f"{head.seq}:{head.mac}"]) == Exit.DONE
    assert capsys.readouterr().out == f"5 links hold.\nhead 5:{head.mac}\n"

    noted(url, 2, chained=False)
    code, told = verified(capsys, "--head", f"{head.seq}:{head.mac}")

    assert code == Exit.DONE
    assert told == {
        "is_sound": True,
        "links": 5,
        "broken_at": None,
        "waiting": 2,
        "passed_over": 0,
        "at_odds": 0,
        "first": None,
        "noted_head": "same",
        "head": {"seq": 5, "mac": head.mac},
    }


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET actor = 'usr_2' WHERE subject = 'alr_3'", 3),
        ("DELETE FROM audit WHERE subject = 'alr_3'", 3),
        ("DELETE FROM audit WHERE subject = 'alr_5'", 5),
        ("DELETE FROM audit_chain WHERE seq = 2", 2),
    ],
)
def test_row_that_was_changed_or_taken_away_is_found_where_it_was(
    url: str, head: Head, capsys: Shown, statement: str, broken_at: int
) -> None:
    tamper(url, statement)

    code, told = verified(capsys)

    assert code == Exit.UNBALANCED
    assert (told["links"], told["broken_at"]) == (broken_at - 1, broken_at)
    assert main(["audit", "verify"]) == Exit.UNBALANCED
    assert f"LINK {broken_at} DOES NOT" in capsys.readouterr().out
    assert head.seq == 5


def test_end_that_was_cut_off_is_found_by_a_head_noted_elsewhere(
    url: str, head: Head, capsys: Shown
) -> None:
    tamper(
        url,
        "DELETE FROM audit_chain WHERE seq > 3",
        "DELETE FROM audit WHERE subject IN ('alr_4', 'alr_5')",
    )

    code, told = verified(capsys)
    assert (code, told["links"]) == (Exit.DONE, 3)

    code, told = verified(capsys, "--head", f"{head.seq}:{head.mac}")
    assert (code, told["noted_head"], told["is_sound"]) == (Exit.UNBALANCED, "cut", False)

    noted(url, 2)  # and others put in their place
    code, told = verified(capsys, "--head", f"{head.seq}:{head.mac}")
    assert (code, told["links"], told["noted_head"]) == (Exit.UNBALANCED, 5, "other")
    main(["audit", "verify", "--head", f"{head.seq}:{head.mac}"])
    assert "LINK 5 IS NOT THE ONE THAT WAS NOTED" in capsys.readouterr().out


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_chain WHERE seq = 5",
        "UPDATE audit SET linked = false WHERE subject = 'alr_5'",
        (
            "INSERT INTO audit (id, at, actor, action, subject, detail, linked)"
            " VALUES ('aud_x', 1, 'usr_1', 'alert.stop', 'alr_9', '{}', true)"
        ),
    ],
)
def test_row_that_only_looks_linked_is_found_without_a_noted_head(
    url: str, head: Head, capsys: Shown, statement: str
) -> None:
    tamper(url, statement)

    code, told = verified(capsys)

    assert (code, told["broken_at"], told["at_odds"]) == (Exit.UNBALANCED, None, 1)
    assert told["first"].startswith("aud_")
    assert head.seq == 5


def test_row_that_never_gets_its_link_is_told_from_one_that_waits(
    url: str, head: Head, capsys: Shown
) -> None:
    older = (
        "INSERT INTO audit (id, at, actor, action, subject, detail, linked)"
        " SELECT 'aud_{0}', at - {0} * 1000000, 'usr_1', 'alert.stop', 'alr_9', '{{}}', false"
        " FROM audit WHERE subject = 'alr_5'"
    )
    tamper(url, older.format(50), older.format(70))

    code, told = verified(capsys)

    assert (code, told["broken_at"]) == (Exit.UNBALANCED, None)
    assert (told["waiting"], told["passed_over"], told["first"]) == (2, 1, "aud_70")
    assert head.seq == 5


def test_long_record_is_gone_through_in_pages(
    url: str, head: Head, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    monkeypatch.setattr(unchained, "PAGE", 2)
    monkeypatch.setattr(command, "PAGE", 2)
    noted(url, 2, chained=False)

    _, told = verified(capsys)
    assert (told["links"], told["waiting"]) == (head.seq, 2)

    main(["audit", "export"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"rows": 7}


def test_deeds_are_read_out_oldest_first_with_their_links(
    url: str, head: Head, capsys: Shown
) -> None:
    noted(url, 1, chained=False)

    assert main(["audit", "export"]) == Exit.DONE

    *rows, end = map(json.loads, capsys.readouterr().out.splitlines())
    assert end == {"rows": 6}
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, None]
    assert [row["detail"]["n"] for row in rows] == [1, 2, 3, 4, 5, 1]
    assert rows[4]["mac"] == head.mac
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)


def test_no_cell_of_the_table_is_a_formula(url: str, head: Head, capsys: Shown) -> None:
    noted(url, 1, subject='=HYPERLINK("x{}")')

    assert main(["audit", "export", "--format", "csv"]) == Exit.DONE

    top, *rows, end = csv.reader(io.StringIO(capsys.readouterr().out))
    assert top == list(command.COLUMNS)
    assert rows[-1][5] == '\'=HYPERLINK("x1")'
    assert end == ["rows", "6", *[""] * 6]
    assert len(rows) == head.seq + 1


def test_export_begins_where_it_is_asked_to(url: str, head: Head, capsys: Shown) -> None:
    tamper(url, f"UPDATE audit SET at = at - 3600000000 WHERE subject <> 'alr_{head.seq}'")
    main(["audit", "export"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    main(["audit", "export", "--since", rows[4]["at"]])
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        rows[4],
        {"rows": 1},
    ]

    main(["audit", "export", "--since", "2999-01-01"])
    assert capsys.readouterr().out == '{"rows": 0}\n'


@pytest.mark.parametrize(
    "words",
    [
        ("export", "--since", "yesterday"),
        ("export", "--format", "xlsx"),
        ("verify", "--head", "5"),
        ("verify", "--head", "x:y"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(capsys: Shown, words: tuple[str, ...]) -> None:
    assert main(["audit", *words]) == Exit.USAGE

    assert words[1] in capsys.readouterr().err


def test_chain_is_not_verified_under_no_key(url: str, capsys: Shown) -> None:
    noted(url, 1)

    assert main(["audit", "verify"]) == Exit.USAGE

    assert "KENTONGAN_SECRET_KEY is not set" in capsys.readouterr().err
