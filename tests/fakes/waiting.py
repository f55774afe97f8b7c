"""Alerts and deliveries as if they had been accepted and expanded."""

from sqlalchemy import insert, select

from kentongan.alert import Control
from kentongan.delivery import Work
from kentongan.ids import new_id
from ledger.engine import Ledger, read_now
from ledger.schema import alert_progress, alerts, deliveries

PHONE = "+628121111111"
ME = new_id("key")


async def alert(ledger: Ledger) -> str:
    """Write down an alert that runs for an hour."""
    alert_id = new_id("alert")
    async with ledger.write() as db:
        now = await read_now(db)
        texts = dict.fromkeys(("mode", "type", "severity", "urgency", "certainty", "lane"), "x")
        jsons: dict[str, object] = {"body": {}, "wording": {}, "audience": {}}
        lists: dict[str, object] = {"channels": [], "options": [], "references": []}
        await db.execute(
            insert(alerts).values(
                id=alert_id,
                **texts,
                **jsons,
                **lists,
                made_by=ME,
                control=Control.ACTIVE,
                accepted_at=now,
                expires_at=now + 3_600_000_000,
            )
        )
        await db.execute(insert(alert_progress).values(alert_id=alert_id, expand_at=now, stage="x"))
    return alert_id


async def deliver(ledger: Ledger, alert_id: str, work: Work, address: str = PHONE) -> str:
    delivery_id = new_id("delivery")
    async with ledger.write() as db:
        await db.execute(
            insert(deliveries).values(
                id=delivery_id,
                alert_id=alert_id,
                channel="sms",
                address=address,
                locale="id",
                work=work,
                due_at=1 if work is Work.RETRY_WAIT else None,
            )
        )
    return delivery_id


async def works(ledger: Ledger) -> dict[str, str]:
    async with ledger.read() as db:
        rows = await db.execute(select(deliveries.c.id, deliveries.c.work))
        return {row.id: row.work for row in rows}
