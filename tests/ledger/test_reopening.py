"""A receipt that asks for another attempt opens its closed alert again; no other does."""

from sqlalchemy import select, update

from kentongan.expansion import Stage
from kentongan.receipt import ReceiptKind
from ledger import check, sweep
from ledger.check_rules import FaultKind
from ledger.engine import Ledger
from ledger.schema import alert_progress, attempts
from tests.fakes import asked
from tests.fakes.receipts import says, sent, told


async def closed(ledger: Ledger, alert_id: str) -> bool:
    async with ledger.read() as db:
        mine = alert_progress.c.alert_id == alert_id
        when = await db.scalar(select(alert_progress.c.closed_at).where(mine))
    return when is not None


async def close(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await db.execute(update(alert_progress).values(stage=Stage.DONE))
        await db.execute(update(attempts).values(ask_at=None))
        found = await sweep.open_alerts(db)
    for alert in found:
        async with ledger.write() as db:
            assert await sweep.close_if_done(db, alert)


async def test_transient_failure_opens_its_alert_again(ledger: Ledger) -> None:
    one = await sent(ledger)
    alert_id = (await asked.row_of(ledger, one)).alert_id
    await close(ledger)

    await told(ledger, says(ReceiptKind.FAILED, one, transient=True))

    async with ledger.read() as db:
        assert [alert.id for alert in await sweep.open_alerts(db)] == [alert_id]
    kinds = {fault.kind for fault in await check.check(ledger)}
    assert FaultKind.CLOSED not in kinds


async def test_receipt_that_asks_for_nothing_leaves_it_closed(ledger: Ledger) -> None:
    one = await sent(ledger)
    await close(ledger)

    await told(ledger, says(ReceiptKind.DELIVERED, one))

    assert await closed(ledger, (await asked.row_of(ledger, one)).alert_id)
