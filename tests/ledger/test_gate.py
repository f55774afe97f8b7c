"""The last look before the first byte sees every stop, pause and opt-out, and nobody else's."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from kentongan.alert import Control
from ledger import alerts, gate, suppressions
from ledger.dialect import is_postgresql
from ledger.engine import SERVICE_PATIENCE, Ledger, read_now, sqlite_path
from tests.fakes import asked
from tests.fakes.ledgers import Ledgers


async def order(ledger: Ledger, alert: str, control: Control) -> None:
    async with ledger.write() as db:
        assert await alerts.set_control(db, alert, control, by="key_x", now=await read_now(db))


async def test_only_what_was_asked_about_and_is_barred_is_told(ledger: Ledger) -> None:
    runs, stopped, paused, other = [await asked.alert(ledger) for _ in range(4)]
    await order(ledger, stopped, Control.STOPPED)
    await order(ledger, paused, Control.PAUSED)
    await order(ledger, other, Control.STOPPED)
    async with ledger.write() as db:
        now = await read_now(db)
        for channel, address in (("sms", "+1"), ("email", "+2"), ("sms", "+9")):
            await suppressions.suppress(
                db, channel, address, reason="opted_out", made_by="recipient", now=now
            )

    async with ledger.read() as db:
        found = await gate.barred(
            db, [runs, stopped, paused], [("sms", "+1"), ("sms", "+2"), ("sms", "+3")]
        )

    assert (found.stopped, found.paused) == ({stopped}, {paused})
    assert ("sms", "+1") in found.suppressed
    assert ("sms", "+2") not in found.suppressed
    assert not any(address in {"+3", "+9"} for _, address in found.suppressed)


async def test_resumed_alert_and_lifted_suppression_bar_nothing(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    await order(ledger, alert, Control.PAUSED)
    await order(ledger, alert, Control.ACTIVE)
    async with ledger.write() as db:
        now = await read_now(db)
        done = await suppressions.suppress(
            db, "sms", "+1", reason="opted_out", made_by="recipient", now=now
        )
        await suppressions.lift(db, done.suppression.id, by="key_x", reason="asked", now=now)

    async with ledger.read() as db:
        found = await gate.barred(db, [alert], [("sms", "+1")])

    assert found == gate.NOBODY


@pytest.fixture
async def embedded(ledgers: Ledgers, tmp_path: Path) -> AsyncIterator[tuple[str, Ledger]]:
    """A SQLite ledger, which others open too."""
    url = await ledgers.fresh("sqlite", tmp_path)
    opened = Ledger.open(url, patience=SERVICE_PATIENCE)
    yield url, opened
    await opened.close()


async def test_glance_sees_what_others_commit_as_soon_as_they_have(
    embedded: tuple[str, Ledger],
) -> None:
    url, ledger = embedded
    alert, another = await asked.alert(ledger), await asked.alert(ledger)
    assert gate.glance(ledger, alert, "sms", "+1") == gate.NOBODY

    with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE alerts SET control = 'stopped' WHERE id = ?", [alert])
        other.execute(
            "INSERT INTO suppressions (id, channel, address, reason, made_by, made_at)"
            " VALUES ('sup_1', 'sms', '+1', 'opted_out', 'recipient', 1)"
        )
        before = gate.glance(ledger, alert, "sms", "+1")
        other.execute("COMMIT")
        after = gate.glance(ledger, alert, "sms", "+1")

    assert before == gate.NOBODY
    assert after == ({alert}, set(), {("sms", "+1")})
    assert gate.glance(ledger, another, "sms", "+1") == (set(), set(), {("sms", "+1")})
    assert gate.glance(ledger, another, "voice", "+1") == gate.NOBODY
    assert gate.glance(ledger, another, "sms", "+2") == gate.NOBODY


async def test_glance_at_what_somebody_has_for_himself_answers_nothing_until_it_is_free(
    embedded: tuple[str, Ledger],
) -> None:
    url, ledger = embedded
    with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")

        assert gate.glance(ledger, "alr_x", "sms", "+1") is None

    assert gate.glance(ledger, "alr_x", "sms", "+1") == gate.NOBODY


async def test_glance_into_a_folder_that_is_not_there_answers_nothing() -> None:
    ledger = Ledger.open("sqlite:////nowhere/ledger.db", patience=SERVICE_PATIENCE)

    assert gate.glance(ledger, "alr_x", "sms", "+1") is None

    await ledger.close()


async def test_only_sqlite_can_be_asked_at_a_glance(ledger: Ledger) -> None:
    async with ledger.read() as db:
        on_sqlite = not is_postgresql(db)

    assert (gate.glance(ledger, "alr_x", "sms", "+1") is not None) is on_sqlite
