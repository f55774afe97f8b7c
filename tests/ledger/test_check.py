"""Whole ledgers are checked, alone and against a carrier's book, on both engines."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from kentongan.clock import Micros, seconds
from kentongan.ids import new_id
from kentongan.keyring import Keyring
from ledger import audit, check
from ledger.check import JOINED_WITHIN
from ledger.check_book import Comparison, Entry, compare
from ledger.check_rules import FaultKind
from ledger.engine import Ledger
from ledger.schema import alert_progress, attempts, delivery_people, provider_events
from ledger.schema_people import audit as audit_table
from tests.fakes.running import Running, becomes, expanded, tried

A, B = "+6281200000001", "+6281200000002"
KEYRING = Keyring(["a secret key of thirty-two letters or more"])


@pytest.fixture
async def running(ledger: Ledger) -> Running:
    """Two texts that were handed over, and a person without a contact point."""
    made = await expanded(ledger, {"Ani": [("sms", A)], "Budi": [("sms", B)], "Citra": []})
    for address, sid in ((A, "SM1"), (B, "SM2")):
        delivery = made.delivery(address)
        await tried(ledger, made.alert.id, delivery, outcome="accepted", outcome_at=1)
        await _change(ledger, attempts, attempts.c.delivery_id == delivery, provider_id=sid)
        await becomes(ledger, delivery, work="settled", attempts=1)
    return made


async def _change(ledger: Ledger, table: Any, where: Any, **parts: Any) -> None:
    async with ledger.write() as db:
        await db.execute(update(table).where(where).values(parts))


async def found(ledger: Ledger) -> list[FaultKind]:
    return [fault.kind for fault in await check.check(ledger, KEYRING)]


async def test_ledger_in_order_balances(ledger: Ledger, running: Running) -> None:
    assert running.page.people
    assert await check.check(ledger, KEYRING) == []


async def test_pages_smaller_than_the_alert_find_the_same(
    ledger: Ledger, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "PAGE", 1)
    await becomes(ledger, running.delivery(B), work="pending")

    assert await found(ledger) == [FaultKind.WORK]


async def test_person_who_lost_a_delivery_is_found(ledger: Ledger, running: Running) -> None:
    async with ledger.write() as db:
        link = delivery_people.c.delivery_id == running.delivery(A)
        await db.execute(delete(delivery_people).where(link))

    assert sorted(await found(ledger)) == [FaultKind.NOBODYS, FaultKind.PERSON]


async def test_sums_that_differ_are_found(ledger: Ledger, running: Running) -> None:
    mine = alert_progress.c.alert_id == running.alert.id
    await _change(ledger, alert_progress, mine, people=4, deliveries=1)

    assert await found(ledger) == [FaultKind.SUMS, FaultKind.SUMS]


async def test_id_held_by_two_deliveries_is_found_and_one_of_our_own_making_is_not(
    ledger: Ledger, running: Running
) -> None:
    await _change(ledger, attempts, attempts.c.provider_id == "SM2", provider_id="SM1")
    assert FaultKind.SHARED_ID in await found(ledger)

    own = f"<{running.delivery(A)}@example.org>"
    await _change(ledger, attempts, attempts.c.delivery_id == running.delivery(A), provider_id=own)
    assert await found(ledger) == []


async def test_what_was_said_and_never_joined_is_found(ledger: Ledger) -> None:
    now = await ledger.now()
    for age in (JOINED_WITHIN + 10, 1):
        event = {"id": new_id("event"), "channel": "sms", "kind": "status", "payload": {}}
        async with ledger.write() as db:
            came = {"came_at": now - seconds(age)}
            await db.execute(insert(provider_events).values(event | came))

    assert await found(ledger) == [FaultKind.UNJOINED]


async def test_audit_row_that_was_changed_is_found(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await audit.add(db, actor="key_1", action="alert.stop", subject="alr_1")
    await audit.chain_all(ledger, KEYRING)
    await _change(ledger, audit_table, audit_table.c.actor == "key_1", actor="key_2")

    assert await found(ledger) == [FaultKind.AUDIT]


def entry(running: Running, address: str, sid: str, **parts: Any) -> Entry:
    dull: dict[str, Any] = {
        "channel": "sms",
        "provider_id": sid,
        "delivery": running.delivery(address),
        "no": 1,
        "at": running.alert.accepted_at,
        "failed_at": None,
    }
    return Entry(**dull | parts)


async def compared(ledger: Ledger, *entries: Entry) -> Comparison:
    async def pages() -> AsyncIterator[Sequence[Entry]]:
        for each in entries:
            yield [each]

    return await compare(ledger, pages(), ["sms"])


async def test_book_that_has_everything_once_agrees(ledger: Ledger, running: Running) -> None:
    book = [entry(running, A, "SM1"), entry(running, B, "SM2")]

    result = await compared(ledger, *book)

    assert (result.faults, result.repeats) == ([], [])


async def test_what_is_not_in_the_book_is_lost(ledger: Ledger, running: Running) -> None:
    [fault] = (await compared(ledger, entry(running, A, "SM1"))).faults

    assert (fault.kind, fault.subject) == (FaultKind.LOST, f"{running.delivery(B)}.1")


async def test_second_record_is_doubled_unless_the_first_had_failed(
    ledger: Ledger, running: Running
) -> None:
    at = running.alert.accepted_at
    book = [entry(running, A, "SM1"), entry(running, B, "SM2")]
    again = entry(running, A, "SM9", at=Micros(at + seconds(9)))
    failed = entry(running, A, "SM1", failed_at=Micros(at + seconds(1)))
    same_id = entry(running, A, "SM1", at=Micros(at + seconds(9)))

    doubled = await compared(ledger, *book, again)
    repaired = await compared(ledger, failed, book[1], again)
    repeated = await compared(ledger, *book, same_id)

    assert [fault.kind for fault in doubled.faults] == [FaultKind.DOUBLED]
    assert repaired.faults == []
    assert (repeated.faults, repeated.repeats) == ([], [running.delivery(A)])


async def test_records_that_we_know_nothing_of_or_deny_are_found(
    ledger: Ledger, running: Running
) -> None:
    mine = attempts.c.delivery_id == running.delivery(A)
    await _change(ledger, attempts, mine, outcome="not_begun")
    unheard = entry(running, A, "SM3", delivery="dlv_" + "0" * 26)
    book = [entry(running, A, "SM1"), entry(running, B, "SM2"), unheard]

    kinds = [fault.kind for fault in (await compared(ledger, *book)).faults]

    assert kinds == [FaultKind.DENIED, FaultKind.STRANGER]


async def test_record_made_after_the_expiry_is_found(ledger: Ledger, running: Running) -> None:
    late = Micros(running.alert.expires_at + 1)
    book = [entry(running, A, "SM1", at=late), entry(running, B, "SM2")]

    assert [f.kind for f in (await compared(ledger, *book)).faults] == [FaultKind.TOO_LATE]
