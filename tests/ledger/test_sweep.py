"""What the ledger says is left to do, and how it comes to an end."""

from typing import Any

import pytest
from sqlalchemy import select, update

from kentongan.alert import Control, Lane
from kentongan.clock import Micros, seconds
from kentongan.delivery import Work
from kentongan.expansion import Expanded, Stage
from kentongan.ids import AttemptRef
from kentongan.outcome import Reason
from ledger import alerts, expansion, suppressions, sweep
from ledger.claims import LEAST_LIFE
from ledger.engine import Ledger, read_now
from ledger.expansion import PageRunTwiceError
from ledger.schema import alert_progress
from ledger.sweep import OpenAlert
from tests.fakes import asked
from tests.fakes.running import Running, becomes, expanded, tried

TWO = {"Siti": [("sms", "+1")], "Budi": [("sms", "+2")]}


async def open_alerts(ledger: Ledger) -> dict[str, OpenAlert]:
    async with ledger.read() as db:
        return {alert.id: alert for alert in await sweep.open_alerts(db)}


async def look(ledger: Ledger, running: Running) -> OpenAlert:
    return (await open_alerts(ledger))[running.alert.id]


async def ended(ledger: Ledger, running: Running, limit: int = 100) -> int:
    alert = await look(ledger, running)
    async with ledger.bulk() as db:
        return await sweep.end_waiting(db, alert, limit)


async def closed(ledger: Ledger, running: Running) -> bool:
    alert = await look(ledger, running)
    async with ledger.write() as db:
        return await sweep.close_if_done(db, alert)


async def due(ledger: Ledger) -> list[tuple[str, str]]:
    found = list((await open_alerts(ledger)).values())
    async with ledger.read() as db:
        return sorted(await sweep.due_channels(db, found))


async def works(ledger: Ledger, running: Running) -> list[str]:
    return [(await asked.row_of(ledger, d.id)).work for d in running.page.deliveries]


async def all_become(ledger: Ledger, running: Running, **parts: Any) -> None:
    for one in running.page.deliveries:
        await becomes(ledger, one.id, **parts)


async def unexpanded(ledger: Ledger, running: Running) -> None:
    async with ledger.write() as db:
        await db.execute(
            update(alert_progress)
            .where(alert_progress.c.alert_id == running.alert.id)
            .values(stage=Stage.RECIPIENTS)
        )


async def test_urgent_alerts_are_looked_at_first_then_the_oldest(ledger: Ledger) -> None:
    old = await expanded(ledger, TWO, lane=Lane.ROUTINE)
    new = await expanded(ledger, TWO, lane=Lane.ROUTINE)
    flash = await expanded(ledger, TWO, lane=Lane.FLASH)

    assert list(await open_alerts(ledger)) == [flash.alert.id, old.alert.id, new.alert.id]


async def test_channel_is_due_while_something_waits_on_it(ledger: Ledger) -> None:
    both = await expanded(ledger, {"Siti": [("sms", "+1"), ("email", "a@example.org")]})
    one = await expanded(ledger, TWO)
    await becomes(ledger, both.delivery("a@example.org"), work=Work.SETTLED)
    await becomes(ledger, one.delivery("+1"), work=Work.RETRY_WAIT, due_at=1)
    await becomes(ledger, one.delivery("+2"), work=Work.ATTEMPTING)

    assert await due(ledger) == [(both.alert.id, "sms"), (one.alert.id, "sms")]


async def test_retry_is_due_when_its_time_has_come(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)
    later = await ledger.now() + seconds(30)
    await all_become(ledger, running, work=Work.RETRY_WAIT, due_at=later)

    assert await due(ledger) == []


async def test_looking_at_many_alerts_takes_no_statement_that_is_too_long(ledger: Ledger) -> None:
    # With two channels each, more than one compound statement holds.
    running = [await expanded(ledger, TWO) for _ in range(60)]

    assert await due(ledger) == [(one.alert.id, "sms") for one in running]


async def test_running_alert_keeps_what_waits(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)

    assert await ended(ledger, running) == 0
    assert await works(ledger, running) == [Work.PENDING] * 2


async def test_stopped_alert_ends_what_waits_in_pages(ledger: Ledger) -> None:
    running = await expanded(ledger, {f"{n}": [("sms", f"+{n}")] for n in range(5)})
    await becomes(ledger, running.delivery("+0"), work=Work.ATTEMPTING)
    await becomes(ledger, running.delivery("+1"), work=Work.RETRY_WAIT, due_at=1, reason="busy")
    await asked.stop(ledger, running.alert.id)

    assert [await ended(ledger, running, 2) for _ in range(4)] == [2, 2, 0, 0]

    assert await works(ledger, running) == [Work.ATTEMPTING] + [Work.STOPPED] * 4
    retried = await asked.row_of(ledger, running.delivery("+1"))
    fresh = await asked.row_of(ledger, running.delivery("+2"))
    assert (retried.reason, retried.due_at) == ("busy", None)  # why it was not sent before
    assert fresh.reason == Reason.STOPPED


async def test_alert_with_too_little_life_left_ends_what_waits(ledger: Ledger) -> None:
    expires = Micros(await ledger.now() + seconds(LEAST_LIFE - 1))
    running = await expanded(ledger, TWO, expires_at=expires)

    assert (await look(ledger, running)).expired
    assert await ended(ledger, running) == 2
    assert await works(ledger, running) == [Work.EXPIRED] * 2


async def test_straggler_to_a_suppressed_address_is_set_aside(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)
    async with ledger.write() as db:
        await suppressions.suppress(
            db, "sms", "+1", reason="opted_out", made_by="recipient", now=await read_now(db)
        )
    await becomes(ledger, running.delivery("+1"), work=Work.PENDING, reason=None)

    async with ledger.bulk() as db:
        moved = await sweep.suppress_stragglers(db, running.alert.id, "sms", 100)

    assert moved == 1
    row = await asked.row_of(ledger, running.delivery("+1"))
    assert (row.work, row.reason) == (Work.SUPPRESSED, Reason.SUPPRESSED)


@pytest.mark.parametrize("work", [Work.PENDING, Work.ATTEMPTING, Work.RETRY_WAIT])
async def test_alert_with_open_work_is_not_closed(ledger: Ledger, work: Work) -> None:
    running = await expanded(ledger, TWO)
    await all_become(ledger, running, work=Work.SETTLED)
    await becomes(ledger, running.delivery("+1"), work=work)
    if work is Work.ATTEMPTING:
        await tried(ledger, running.alert.id, running.delivery("+1"))

    assert not await closed(ledger, running)


async def test_alert_is_not_closed_while_somebody_can_be_asked(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)
    await all_become(ledger, running, work=Work.UNKNOWN)
    one = running.delivery("+1")
    await tried(ledger, running.alert.id, one, outcome="unknown", ask_at=1)

    assert not await closed(ledger, running)


async def test_alert_is_not_closed_before_its_people_are_found(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)
    await all_become(ledger, running, work=Work.SETTLED)
    await unexpanded(ledger, running)

    assert not await closed(ledger, running)


async def test_alert_that_expired_is_not_closed_before_its_people_are_found(
    ledger: Ledger,
) -> None:
    expires = Micros(await ledger.now() + seconds(LEAST_LIFE - 1))
    running = await expanded(ledger, TWO, expires_at=expires)
    await all_become(ledger, running, work=Work.EXPIRED)
    await unexpanded(ledger, running)

    assert not await closed(ledger, running)


async def test_look_goes_on_after_the_last_alert_of_the_one_before(ledger: Ledger) -> None:
    lanes = [Lane.ROUTINE, Lane.FLASH, Lane.ROUTINE, Lane.FLASH, Lane.ROUTINE]
    made = [(await expanded(ledger, TWO, lane=lane)).alert.id for lane in lanes]

    seen: list[str] = []
    last = None
    async with ledger.read() as db:
        while page := await sweep.open_alerts(db, last, limit=2):
            seen += [alert.id for alert in page]
            last = page[-1]

    assert seen == [made[1], made[3], made[0], made[2], made[4]]


async def test_alert_that_lies_ahead_takes_nobody_s_place(ledger: Ledger) -> None:
    ahead = await expanded(ledger, TWO)
    async with ledger.write() as db:
        later = await read_now(db) + seconds(3600)
        await db.execute(update(alert_progress).values(expand_at=later))

    assert await open_alerts(ledger) == {}

    await asked.stop(ledger, ahead.alert.id)
    assert list(await open_alerts(ledger)) == [ahead.alert.id]


async def test_page_is_not_written_into_an_alert_that_was_closed(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)
    async with ledger.write() as db:
        await db.execute(update(alert_progress).values(closed_at=1, stage=Stage.RECIPIENTS))
        was = await expansion.progress(db, running.alert.id)
        assert was is not None

        with pytest.raises(PageRunTwiceError):
            await expansion.write_page(
                db, running.alert.id, was=was, page=Expanded(), stage=Stage.DONE, cursor=""
            )


async def test_unknown_that_nobody_can_be_asked_about_keeps_no_alert_open(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)
    await all_become(ledger, running, work=Work.UNKNOWN)
    await tried(ledger, running.alert.id, running.delivery("+1"), outcome="unknown")

    assert await closed(ledger, running)

    assert await open_alerts(ledger) == {}
    assert (await asked.attempt_row(ledger, AttemptRef(running.delivery("+1"), 1))).ask_at is None


async def test_stopped_alert_is_closed_though_its_people_were_not_all_found(
    ledger: Ledger,
) -> None:
    running = await expanded(ledger, TWO)
    await unexpanded(ledger, running)
    await asked.stop(ledger, running.alert.id)
    assert not await closed(ledger, running)
    await ended(ledger, running)

    assert await closed(ledger, running)

    async with ledger.read() as db:
        assert (await db.execute(select(alert_progress.c.closed_at))).scalar_one() is not None


async def test_paused_alert_is_neither_ended_nor_closed(ledger: Ledger) -> None:
    running = await expanded(ledger, TWO)
    async with ledger.write() as db:
        await alerts.set_control(
            db, running.alert.id, Control.PAUSED, by="key_x", now=await read_now(db)
        )

    assert await ended(ledger, running) == 0
    assert not await closed(ledger, running)
