"""A claim keeps to the caps: what is over a rate or a budget waits, and says why."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from kentongan.alert import AlertType, Mode, Severity
from kentongan.caps import Caps
from kentongan.clock import Micros, seconds
from kentongan.ids import AttemptRef, new_alert_id
from kentongan.outcome import Reason
from kentongan.person_rate import parse
from kentongan.settling import Resolution
from kentongan.spending import ONE, Period
from ledger import caps, check
from ledger.engine import WORKER_PATIENCE, Ledger, read_now
from ledger.schema import attempts
from tests.fakes import asked
from tests.fakes.capped import PRICED, RATED, opened, told, window
from tests.fakes.running import Running, becomes, expanded, tried


async def row(ledger: Ledger, running: Running, address: str) -> Any:
    return await asked.row_of(ledger, running.delivery(address))


async def spent(ledger: Ledger, bounds: Caps) -> float:
    async with ledger.read() as db:
        return (await caps.spent_by(db, bounds, await read_now(db)))[Period.DAY] / ONE


async def test_second_message_in_a_minute_waits_and_says_why(ledger: Ledger) -> None:
    first, second = await told(ledger, "+1"), await told(ledger, "+1", "+2")
    await window(ledger, first, RATED)
    begun = (await asked.attempt_row(ledger, AttemptRef(first.delivery("+1"), 1))).opened_at

    found = await window(ledger, second, RATED)

    assert ([one.address for one in found.claimed], found.held) == (["+2"], 1)
    waits = await row(ledger, second, "+1")
    assert (waits.state, waits.reason) == ("waiting", Reason.PERSON_RATE)
    assert (waits.attempts, waits.tries, waits.due_at) == (0, 0, begun + seconds(60))


async def test_what_was_held_back_goes_when_its_time_has_come(ledger: Ledger) -> None:
    first, second = await told(ledger, "+1"), await told(ledger, "+1")
    await window(ledger, first, RATED)
    await window(ledger, second, RATED)
    assert await opened(ledger, second, RATED) == []
    await _age(ledger, first, 60)
    await becomes(ledger, second.delivery("+1"), due_at=1)

    assert await opened(ledger, second, RATED) == ["+1"]

    assert (await row(ledger, second, "+1")).attempts == 1


async def _age(ledger: Ledger, running: Running, by: int) -> None:
    async with ledger.write() as db:
        await db.execute(
            update(attempts)
            .where(attempts.c.alert_id == running.alert.id)
            .values(opened_at=attempts.c.opened_at - seconds(by))
        )


async def test_longer_limit_counts_what_the_shorter_forgot(ledger: Ledger) -> None:
    for age in (1800, 600):
        running = await told(ledger, "+1")
        await window(ledger, running, Caps())
        await _age(ledger, running, age)
    third = await told(ledger, "+1")

    assert await opened(ledger, third, RATED) == []

    waits = (await row(ledger, third, "+1")).due_at - await ledger.now()
    assert seconds(1790) < waits <= seconds(1800)


@pytest.mark.parametrize(
    "parts",
    [
        {"outcome": "not_begun"},
        {"outcome": "deferred"},
        {"outcome": "refused"},
        {"outcome": "unknown", "resolution": Resolution.NOT_BEGUN},
    ],
)
async def test_what_was_certainly_not_sent_bothered_nobody(
    ledger: Ledger, parts: dict[str, str]
) -> None:
    first, second = await told(ledger, "+1"), await told(ledger, "+1")
    await tried(ledger, first.alert.id, first.delivery("+1"), **parts)

    assert await opened(ledger, second, RATED) == ["+1"]


@pytest.mark.parametrize("outcome", [None, "accepted", "unknown"])
async def test_what_may_have_been_sent_counts(ledger: Ledger, outcome: str | None) -> None:
    first, second = await told(ledger, "+1"), await told(ledger, "+1")
    await tried(ledger, first.alert.id, first.delivery("+1"), outcome=outcome)

    assert await opened(ledger, second, RATED) == []


async def test_tests_and_other_channels_do_not_count(ledger: Ledger) -> None:
    test, other = await told(ledger, "+1", mode=Mode.TEST), await told(ledger, "+1")
    await window(ledger, test, RATED)
    mail = await expanded(ledger, {"Siti": [("email", "+1")]})
    await tried(ledger, mail.alert.id, mail.delivery("+1"), channel="email", outcome="accepted")

    assert await opened(ledger, other, RATED) == ["+1"]


FREE: Sequence[dict[str, Any]] = (
    {"severity": Severity.EXTREME},
    {"type": AlertType.CANCEL, "corrects": new_alert_id()},
    {"type": AlertType.UPDATE, "body": {"template": "all_clear"}},
    {"mode": Mode.TEST},
)


@pytest.mark.parametrize("changes", FREE)
async def test_extreme_corrections_all_clears_and_tests_are_never_held_up(
    ledger: Ledger, changes: dict[str, Any]
) -> None:
    bounds = Caps(
        person_rate=parse(["sms=1/7d"]), prices=PRICED.prices, most={Period.DAY: 1, Period.MONTH: 1}
    )
    await window(ledger, await told(ledger, "+1", "+2"), Caps())
    urgent = await told(ledger, "+1", "+2", **changes)

    assert await opened(ledger, urgent, bounds) == ["+1", "+2"]


async def test_extreme_counts_for_what_comes_after_it(ledger: Ledger) -> None:
    await window(ledger, await told(ledger, "+1", severity=Severity.EXTREME), RATED)

    assert await opened(ledger, await told(ledger, "+1"), RATED) == []


async def test_what_could_not_go_in_its_alerts_life_is_expired_with_the_reason(
    ledger: Ledger,
) -> None:
    await window(ledger, await told(ledger, "+1"), RATED)
    short = await told(ledger, "+1", expires_at=Micros(await ledger.now() + seconds(50)))

    assert await opened(ledger, short, RATED) == []

    ended = await row(ledger, short, "+1")
    assert (ended.state, ended.reason, ended.due_at) == ("expired", Reason.PERSON_RATE, None)


async def test_claimers_of_different_alerts_keep_to_one_rate_together(
    ledger: Ledger, url: str
) -> None:
    addresses = [f"+{n}" for n in range(10)]
    several = [await told(ledger, *addresses) for _ in range(6)]
    claimers = [Ledger.open(url, patience=WORKER_PATIENCE) for _ in several]

    pages = await asyncio.gather(
        *(opened(*pair, RATED) for pair in zip(claimers, several, strict=True))
    )
    for one in claimers:
        await one.close()

    assert sorted(address for page in pages for address in page) == sorted(addresses)


async def test_money_is_spent_by_units_and_prefix(ledger: Ledger) -> None:
    running = await told(ledger, "+1", "+6281")
    await becomes(ledger, running.delivery("+1"), units=2)

    await window(ledger, running, PRICED)

    assert await spent(ledger, PRICED) == 4


async def test_what_costs_more_than_is_left_waits_and_says_why(ledger: Ledger) -> None:
    running = await told(ledger, *(f"+{n}" for n in range(1, 8)))

    found = await window(ledger, running, PRICED)

    assert (len(found.claimed), found.held) == (5, 2)
    assert await spent(ledger, PRICED) == 5
    left = [await row(ledger, running, f"+{n}") for n in range(1, 8)]
    waiting = [one for one in left if one.state == "waiting"]
    assert {one.reason for one in waiting} == {Reason.SPEND_CAP}
    now = await ledger.now()
    assert all(now < one.due_at <= now + caps.LOOK_AGAIN for one in waiting)


async def test_extreme_is_counted_and_goes_when_all_is_spent(ledger: Ledger) -> None:
    await window(ledger, await told(ledger, *(f"+{n}" for n in range(1, 7))), PRICED)
    extreme = await told(ledger, "+6281", severity=Severity.EXTREME)

    assert await opened(ledger, extreme, PRICED) == ["+6281"]

    assert await spent(ledger, PRICED) == 7
    assert await opened(ledger, await told(ledger, "+9"), PRICED) == []


async def test_cap_of_a_month_holds_when_the_day_has_room(ledger: Ledger) -> None:
    bounds = Caps(
        prices=PRICED.prices, currency="USD", most={Period.DAY: 50 * ONE, Period.MONTH: ONE}
    )

    assert len(await opened(ledger, await told(ledger, "+1", "+2"), bounds)) == 1


async def test_another_day_has_its_own_money(ledger: Ledger, later: Ledger) -> None:
    await window(ledger, await told(ledger, *(f"+{n}" for n in range(1, 7))), PRICED)
    assert await opened(ledger, await told(ledger, "+9"), PRICED) == []

    assert await opened(later, await told(later, "+9"), PRICED) == ["+9"]


async def test_claimers_spend_no_more_than_there_is_together(ledger: Ledger, url: str) -> None:
    several = [await told(ledger, "+1", "+2") for _ in range(6)]
    claimers = [Ledger.open(url, patience=WORKER_PATIENCE) for _ in several]

    pages = await asyncio.gather(
        *(opened(*pair, PRICED) for pair in zip(claimers, several, strict=True))
    )
    for one in claimers:
        await one.close()

    assert sum(map(len, pages)) == 5
    assert await spent(ledger, PRICED) == 5


async def test_limits_and_budget_hold_at_once(ledger: Ledger) -> None:
    both = Caps(
        person_rate=RATED.person_rate, prices=PRICED.prices, currency="USD", most={Period.DAY: ONE}
    )
    await window(ledger, await told(ledger, "+1"), Caps())
    running = await told(ledger, "+1", "+2", "+3")

    [sent] = await opened(ledger, running, both)

    reasons = {
        address: (await row(ledger, running, address)).reason for address in ("+1", "+2", "+3")
    }
    waits = {"+2", "+3"} - {sent}
    assert reasons == {"+1": Reason.PERSON_RATE, sent: None, waits.pop(): Reason.SPEND_CAP}


async def test_books_balance_with_deliveries_that_a_cap_holds_back(ledger: Ledger) -> None:
    await window(ledger, await told(ledger, "+1"), RATED)
    running = await told(ledger, "+1", "+2")
    await window(ledger, running, RATED)

    assert await check.check(ledger) == []
