"""A claim opens what may be sent, each once: never more than it was asked for, never too late."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select, text

from kentongan.alert import Control
from kentongan.clock import Micros, seconds
from kentongan.delivery import Work
from kentongan.outcome import Reason
from ledger import alerts, suppressions
from ledger.claims import LEAST_LIFE, Claimed, Window, claim, count_due
from ledger.dialect import is_postgresql
from ledger.engine import WORKER_PATIENCE, Ledger, read_now
from ledger.schema import alerts as alert_rows
from ledger.schema import attempts
from tests.fakes import asked
from tests.fakes.running import Point, Running, becomes, expanded

WORKER = "wrk_" + "1" * 26


def phones(count: int) -> Mapping[str, Sequence[Point]]:
    return {f"person {n}": [("sms", f"+62811{n:04}")] for n in range(count)}


async def window(ledger: Ledger, alert_id: str, *, limit: int = 100, **changes: Any) -> Window:
    async with ledger.write() as db:
        return await claim(
            db,
            alert_id=alert_id,
            limit=limit,
            **{"channel": "sms", "sender": "+1500", "worker": WORKER, **changes},
        )


async def claimed(ledger: Ledger, alert_id: str, **changes: Any) -> list[Claimed]:
    return (await window(ledger, alert_id, **changes)).claimed


async def addresses(ledger: Ledger, running: Running, **changes: Any) -> list[str]:
    return sorted(one.address for one in await claimed(ledger, running.alert.id, **changes))


async def due(ledger: Ledger, running: Running) -> int:
    async with ledger.read() as db:
        return (await count_due(db, running.alert.id, "sms", 100)).rows


async def test_claim_opens_attempts_that_say_who_opened_them(ledger: Ledger) -> None:
    running = await expanded(ledger, phones(3))

    [first, *rest] = await claimed(ledger, running.alert.id)

    assert len(rest) == 2
    assert (await asked.row_of(ledger, first.attempt.delivery_id)).work == Work.ATTEMPTING
    row = await asked.attempt_row(ledger, first.attempt)
    assert (row.no, row.worker, row.sender, row.outcome) == (1, WORKER, "+1500", None)
    assert await claimed(ledger, running.alert.id) == []


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_claim_never_opens_more_than_its_limit(ledger: Ledger, limit: int) -> None:
    running = await expanded(ledger, phones(9))
    for n in range(4):
        await becomes(ledger, running.page.deliveries[n].id, work=Work.RETRY_WAIT, due_at=1)

    assert len(await claimed(ledger, running.alert.id, limit=limit)) == limit


async def test_claim_keeps_to_its_limit_whatever_plan_the_database_makes(ledger: Ledger) -> None:
    running = await expanded(ledger, phones(30))
    async with ledger.write() as db:
        if is_postgresql(db):
            # A nested loop runs an inner `LIMIT … FOR UPDATE SKIP LOCKED` once a row.
            for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
                await db.execute(text(f"SET LOCAL enable_{way} = off"))

        found = await claim(
            db, alert_id=running.alert.id, channel="sms", sender="", worker=WORKER, limit=4
        )

    assert len(found.claimed) == 4


async def test_due_retries_come_first(ledger: Ledger) -> None:
    running = await expanded(ledger, phones(6))
    for address in ("+628110004", "+628110005"):
        one = running.delivery(address)
        await becomes(ledger, one, work=Work.RETRY_WAIT, due_at=1, attempts=1, tries=1)

    found = await claimed(ledger, running.alert.id, limit=3)

    assert sorted((c.attempt.no, c.tries) for c in found) == [(1, 0), (2, 1), (2, 1)]


async def test_retry_that_is_not_due_waits(ledger: Ledger) -> None:
    running = await expanded(ledger, phones(1))
    later = await ledger.now() + seconds(30)
    await becomes(ledger, running.page.deliveries[0].id, work=Work.RETRY_WAIT, due_at=later)

    assert await due(ledger, running) == 0
    assert await claimed(ledger, running.alert.id) == []


async def test_claim_passes_over_what_this_turn_has_claimed(ledger: Ledger) -> None:
    running = await expanded(ledger, phones(4))
    ids = sorted(d.id for d in running.page.deliveries)

    found = await claimed(ledger, running.alert.id, after=ids[1])

    assert sorted(c.attempt.delivery_id for c in found) == ids[2:]


async def test_other_channels_and_alerts_are_left_alone(ledger: Ledger) -> None:
    running = await expanded(ledger, {"Siti": [("sms", "+1"), ("email", "a@example.org")]})
    await expanded(ledger, phones(2))

    assert await addresses(ledger, running) == ["+1"]


@pytest.mark.parametrize("control", [Control.STOPPED, Control.PAUSED])
async def test_nothing_is_opened_after_a_stop_or_in_a_pause(
    ledger: Ledger, control: Control
) -> None:
    running = await expanded(ledger, phones(2))
    await order(ledger, running.alert.id, control)

    assert await due(ledger, running) == 0
    assert await claimed(ledger, running.alert.id) == []


async def test_pause_ends_with_a_resume(ledger: Ledger) -> None:
    running = await expanded(ledger, phones(2))
    await order(ledger, running.alert.id, Control.PAUSED)
    await order(ledger, running.alert.id, Control.ACTIVE)

    assert len(await claimed(ledger, running.alert.id)) == 2


async def test_suppressed_address_is_passed_over_until_it_is_lifted(ledger: Ledger) -> None:
    running = await expanded(ledger, {"Siti": [("sms", "+1")], "Budi": [("sms", "+2")]})
    async with ledger.write() as db:
        now = await read_now(db)
        await suppressions.suppress(
            db, "sms", "+1", reason=Reason.OPTED_OUT, made_by="recipient", now=now
        )
    # As if its row had been written by a page that read suppressions before.
    await becomes(ledger, running.delivery("+1"), work=Work.PENDING, reason=None)

    assert await addresses(ledger, running) == ["+2"]


@pytest.mark.parametrize("left", [-1.0, 0.0, LEAST_LIFE - 0.5])
async def test_nothing_is_opened_with_less_than_ten_seconds_of_life(
    ledger: Ledger, left: float
) -> None:
    expires = Micros(await ledger.now() + seconds(left))
    running = await expanded(ledger, phones(2), expires_at=expires)

    assert await due(ledger, running) == 0
    assert await claimed(ledger, running.alert.id) == []


async def test_window_tells_the_life_that_remains(ledger: Ledger) -> None:
    before = await ledger.now()
    running = await expanded(ledger, phones(1), expires_at=Micros(before + seconds(60)))

    found = await window(ledger, running.alert.id)

    passed = (await ledger.now() - before) / seconds(1)
    assert 60 - passed <= found.remaining <= 60


@pytest.mark.parametrize(("limit", "more"), [(2, True), (3, True), (4, False)])
async def test_window_tells_whether_more_may_be_due(
    ledger: Ledger, limit: int, *, more: bool
) -> None:
    running = await expanded(ledger, phones(3))

    assert (await window(ledger, running.alert.id, limit=limit)).more is more


async def test_two_claimers_never_get_one_row(ledger: Ledger, url: str) -> None:
    running = await expanded(ledger, phones(60))
    claimers = [Ledger.open(url, patience=WORKER_PATIENCE) for _ in range(4)]

    async def clear(one: Ledger) -> list[Claimed]:
        found: list[Claimed] = []
        while page := await claimed(one, running.alert.id, limit=7):
            found += page
        return found

    pages = await asyncio.gather(*map(clear, claimers))
    for one in claimers:
        await one.close()

    opened = Counter(c.attempt for page in pages for c in page)
    # Who found all free rows held by others came back empty; nobody's were taken twice.
    left = await claimed(ledger, running.alert.id)
    assert set(opened.values()) == {1}
    assert len(opened) + len(left) == 60


async def order(ledger: Ledger, alert_id: str, control: Control) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        assert await alerts.set_control(db, alert_id, control, by="key_x", now=now)


async def opened(ledger: Ledger, alert_id: str) -> int:
    async with ledger.read() as db:
        query = select(func.count()).where(attempts.c.alert_id == alert_id)
        return int((await db.execute(query)).scalar_one())


#: SQLite has one writer at a time, and less to try.
STOPS = {"postgresql": 200, "sqlite": 20}


async def test_no_attempt_is_opened_after_a_stop_was_committed(ledger: Ledger, url: str) -> None:
    claimers = [Ledger.open(url, patience=WORKER_PATIENCE) for _ in range(4)]
    at_stop: dict[str, int] = {}

    async def clear(one: Ledger, alert_id: str) -> None:
        while await claimed(one, alert_id, limit=1):
            pass

    async def stop(alert_id: str) -> None:
        await order(ledger, alert_id, Control.STOPPED)
        at_stop[alert_id] = await opened(ledger, alert_id)

    stops = STOPS["sqlite" if url.startswith("sqlite") else "postgresql"]
    for n in range(stops):
        running = await expanded(ledger, phones(6))
        claiming = [asyncio.create_task(clear(one, running.alert.id)) for one in claimers]
        for _ in range(n % 20):
            await asyncio.sleep(0)  # a different moment each time
        await stop(running.alert.id)
        await asyncio.gather(*claiming)

    assert {one: await opened(ledger, one) for one in at_stop} == at_stop
    async with ledger.read() as db:
        late = select(attempts.c.alert_id).join(alert_rows, alert_rows.c.id == attempts.c.alert_id)
        late = late.where(attempts.c.opened_at > alert_rows.c.control_at)
        assert (await db.execute(late)).all() == []
    assert 0 < sum(at_stop.values()) < stops * 6  # or it tried nothing
    for one in claimers:
        await one.close()
