"""What was given up is listed with its reason, and tried again only where that harms nobody."""

from typing import Any

import pytest

from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.ids import DeliveryId
from kentongan.outcome import Reason
from ledger import dead_letters, suppressions
from ledger.check import check
from ledger.claims import claim
from ledger.dead_letters import Hindrance, Replayed, Which
from ledger.engine import Ledger, read_now
from tests.fakes import asked
from tests.fakes.running import Running, becomes, expanded, tried

REFUSED = {"outcome": "refused", "reason": Reason.SENDER}
DEFERRED = {"outcome": "deferred", "reason": Reason.BUG}


async def failed(
    ledger: Ledger, running: Running, address: str, *, reason: str = Reason.BUG, **attempt: Any
) -> DeliveryId:
    """Leave a delivery as one that was given up after one attempt."""
    one = running.delivery(address)
    await tried(ledger, running.alert.id, one, **({**DEFERRED, **attempt}))
    await becomes(ledger, one, work=Work.FAILED, reason=reason, attempts=1, tries=6)
    return one


async def some(ledger: Ledger, count: int = 3, **changes: Any) -> Running:
    people = {f"person {n}": [("sms", f"+{n}")] for n in range(count)}
    return await expanded(ledger, people, **{"channels": ("sms",), **changes})


async def replayed(ledger: Ledger, which: Which, *, even_if_got: bool = False) -> Replayed:
    async with ledger.write() as db:
        return await dead_letters.replay(db, which, even_if_got=even_if_got, limit=100)


async def listed(ledger: Ledger, which: Which = Which()) -> list[tuple[str, Hindrance | None]]:  # noqa: B008 - frozen
    async with ledger.read() as db:
        found = await dead_letters.page(db, which, limit=100)
    return [(one.delivery.id, one.hindrance) for one in found]


async def test_what_was_given_up_is_listed_and_what_nobody_can_mend_is_not(
    ledger: Ledger,
) -> None:
    running = await some(ledger)
    bug = await failed(ledger, running, "+0")
    poison = await failed(ledger, running, "+1", reason=Reason.POISON)
    await failed(ledger, running, "+2", reason=Reason.INVALID_ADDRESS)

    assert await listed(ledger) == [(poison, None), (bug, None)]
    assert await listed(ledger, Which(reasons=["poison"])) == [(poison, None)]
    assert await listed(ledger, Which(channels=["voice"])) == []


async def test_replayed_delivery_is_claimed_at_once_and_the_books_balance(
    ledger: Ledger,
) -> None:
    running = await some(ledger)
    one = await failed(ledger, running, "+0", **REFUSED)

    done = await replayed(ledger, Which(ids=[one]))

    assert done.by_alert == {running.alert.id: 1}
    assert await check(ledger) == []
    async with ledger.write() as db:
        window = await claim(
            db,
            alert_id=running.alert.id,
            channel="sms",
            sender="+1500",
            worker="wrk_" + "0" * 26,
            limit=1,
        )
    assert [(c.attempt.delivery_id, c.attempt.no, c.tries) for c in window.claimed] == [(one, 2, 0)]


async def test_second_replay_finds_nothing_to_do(ledger: Ledger) -> None:
    running = await some(ledger)
    await failed(ledger, running, "+0")
    which = Which(alert=running.alert.id)

    assert (await replayed(ledger, which)).by_alert == {running.alert.id: 1}
    assert (await replayed(ledger, which)).by_alert == {}


@pytest.mark.parametrize("why", [Hindrance.STOPPED, Hindrance.EXPIRED, Hindrance.SUPPRESSED])
async def test_nothing_goes_out_late_or_to_who_wants_nothing(
    ledger: Ledger, why: Hindrance
) -> None:
    async with ledger.read() as db:
        now = await read_now(db)
    life = seconds(12 if why is Hindrance.EXPIRED else 3600)
    running = await some(ledger, expires_at=now + life)
    one = await failed(ledger, running, "+0")
    if why is Hindrance.STOPPED:
        await asked.stop(ledger, running.alert.id)
    if why is Hindrance.SUPPRESSED:
        async with ledger.write() as db:
            await suppressions.suppress(db, "sms", "+0", reason="x", made_by="x", now=now)

    done = await replayed(ledger, Which(ids=[one]), even_if_got=True)

    assert (done.by_alert, done.left) == ({}, {why: 1})
    assert await listed(ledger) == [(one, why)]
    assert (await asked.row_of(ledger, one)).work == Work.FAILED


async def test_who_may_have_got_it_is_told_again_only_if_that_is_asked_for(
    ledger: Ledger,
) -> None:
    running = await some(ledger)
    one = await failed(ledger, running, "+0", outcome="unknown", resolution="repeat")
    which = Which(alert=running.alert.id)

    assert (await replayed(ledger, which)).left == {Hindrance.MAY_HAVE_GOT: 1}
    done = await replayed(ledger, which, even_if_got=True)

    assert done.by_alert == {running.alert.id: 1}
    assert (await asked.row_of(ledger, one)).work == Work.RETRY_WAIT


async def test_replay_takes_a_page_and_says_that_there_is_more(ledger: Ledger) -> None:
    running = await some(ledger, 3)
    for n in range(3):
        await failed(ledger, running, f"+{n}")

    async with ledger.write() as db:
        done = await dead_letters.replay(db, Which(reasons=["bug"]), even_if_got=False, limit=2)

    assert (sum(done.by_alert.values()), done.more) == (2, True)
    assert len(await listed(ledger)) == 1


async def test_what_was_poison_is_one_death_from_being_set_aside_again(ledger: Ledger) -> None:
    running = await some(ledger)
    one = await failed(ledger, running, "+0", reason=Reason.POISON)
    await becomes(ledger, one, deaths=3)

    await replayed(ledger, Which(ids=[one]))

    assert (await asked.row_of(ledger, one)).deaths == 2
