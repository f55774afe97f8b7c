"""What a budget cannot pay is set aside in bulk, page by page."""

from typing import Any

from kentongan.caps import Caps
from kentongan.clock import Micros, seconds
from kentongan.outcome import Reason
from ledger import check
from ledger.cap_waiting import hold_waiting
from ledger.engine import Ledger
from tests.fakes import asked
from tests.fakes.capped import PRICED, told, window
from tests.fakes.running import Running


async def row(ledger: Ledger, running: Running, address: str) -> Any:
    return await asked.row_of(ledger, running.delivery(address))


async def held_in_bulk(ledger: Ledger, running: Running, bounds: Caps, limit: int = 100) -> int:
    terms = bounds.terms(running.alert, "sms")
    assert terms is not None
    async with ledger.bulk() as db:
        return await hold_waiting(db, terms, running.alert.id, limit=limit)


async def test_what_cannot_be_paid_is_set_aside_page_by_page(ledger: Ledger) -> None:
    await window(ledger, await told(ledger, *(f"+{n}" for n in range(1, 7))), PRICED)
    running = await told(ledger, "+7", "+8", "+9")

    pages = [await held_in_bulk(ledger, running, PRICED, limit=2) for _ in range(3)]

    assert pages == [2, 1, 0]
    left = [await row(ledger, running, address) for address in ("+7", "+8", "+9")]
    assert {(one.work, one.reason, one.attempts) for one in left} == {
        ("retry_wait", Reason.SPEND_CAP, 0)
    }
    assert await check.check(ledger) == []


async def test_nothing_is_set_aside_while_anything_can_be_paid(ledger: Ledger) -> None:
    await window(ledger, await told(ledger, "+1", "+2", "+3", "+4"), PRICED)
    running = await told(ledger, "+7")

    assert await held_in_bulk(ledger, running, PRICED) == 0


async def test_what_is_set_aside_too_near_its_end_is_expired(ledger: Ledger) -> None:
    await window(ledger, await told(ledger, *(f"+{n}" for n in range(1, 7))), PRICED)
    short = await told(ledger, "+7", expires_at=Micros(await ledger.now() + seconds(60)))

    assert await held_in_bulk(ledger, short, PRICED) == 1

    ended = await row(ledger, short, "+7")
    assert (ended.state, ended.reason, ended.due_at) == ("expired", Reason.SPEND_CAP, None)
