"""Who said stop is not written to: neither by what waits nor by what comes later."""

import asyncio

from kentongan.delivery import Work
from ledger import suppressions
from ledger.claims import claim
from ledger.engine import Ledger, read_now
from tests.fakes.waiting import ME, PHONE, alert, deliver, works


async def stop_word(ledger: Ledger, address: str = PHONE) -> suppressions.Suppressed:
    async with ledger.write() as db:
        now = await read_now(db)
        return await suppressions.suppress(
            db, "sms", address, reason="STOP", made_by="recipient", now=now
        )


async def test_what_waits_for_a_suppressed_address_ends(ledger: Ledger) -> None:
    waiting = await deliver(ledger, await alert(ledger), Work.PENDING)
    retried = await deliver(ledger, await alert(ledger), Work.RETRY_WAIT)
    open_now = await deliver(ledger, await alert(ledger), Work.ATTEMPTING)
    sent = await deliver(ledger, await alert(ledger), Work.SETTLED)
    other = await deliver(ledger, await alert(ledger), Work.PENDING, "+628122222222")

    done = await stop_word(ledger)

    assert (done.is_new, done.ended) == (True, 2)
    assert await works(ledger) == {
        waiting: Work.SUPPRESSED,
        retried: Work.SUPPRESSED,
        open_now: Work.ATTEMPTING,
        sent: Work.SETTLED,
        other: Work.PENDING,
    }


async def test_saying_stop_twice_is_saying_it_once(ledger: Ledger) -> None:
    first = await stop_word(ledger)

    again = await stop_word(ledger)

    assert first.is_new
    assert not again.is_new
    assert again.suppression == first.suppression


async def test_many_who_suppress_at_once_leave_one(ledger: Ledger) -> None:
    done = await asyncio.gather(*(stop_word(ledger) for _ in range(8)))

    assert sum(one.is_new for one in done) == 1
    assert len({one.suppression.id for one in done}) == 1


async def test_a_lifted_suppression_stays_on_the_record(ledger: Ledger) -> None:
    first = (await stop_word(ledger)).suppression

    async with ledger.write() as db:
        lifted = await suppressions.lift(db, first.id, reason="asked by phone", by=ME, now=7)
        assert await suppressions.lift(db, first.id, reason="again", by=ME, now=8) is None
        assert await suppressions.in_force(db, "sms", PHONE) is None
    second = (await stop_word(ledger)).suppression

    assert lifted
    assert (lifted.lifted_at, lifted.lifted_by, lifted.lifted_reason) == (7, ME, "asked by phone")
    assert second.id != first.id
    async with ledger.read() as db:
        assert await suppressions.get(db, first.id) == lifted
        assert await suppressions.page(db, is_in_force=True, limit=9) == [second]
        assert await suppressions.page(db, is_in_force=False, limit=9) == [lifted]
        assert await suppressions.page(db, channel="sms", address=PHONE, limit=9) == [
            second,
            lifted,
        ]
        assert await suppressions.page(db, before=second.id, limit=9) == [lifted]
        assert await suppressions.page(db, channel="email", limit=9) == []


async def test_no_claim_that_starts_after_it_opens_an_attempt(ledger: Ledger) -> None:
    alert_id = await alert(ledger)
    phones = [f"+62812{n:07}" for n in range(40)]
    ids = {phone: await deliver(ledger, alert_id, Work.PENDING, phone) for phone in phones}
    opened_after: list[str] = []
    told: set[str] = set()

    async def claims() -> None:
        for _ in range(20):
            before = set(told)
            async with ledger.write() as db:
                window = await claim(
                    db, alert_id=alert_id, channel="sms", sender="x", worker=ME, limit=2
                )
            opened_after.extend(c.address for c in window.claimed if c.address in before)
            await asyncio.sleep(0)

    async def stops() -> None:
        for phone in reversed(phones):
            await stop_word(ledger, phone)
            told.add(phone)

    await asyncio.gather(claims(), stops())

    assert opened_after == []
    after = await works(ledger)
    assert {after[ids[phone]] for phone in phones} <= {Work.ATTEMPTING, Work.SUPPRESSED}
