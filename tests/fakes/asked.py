"""An alert that asked somebody something, straight in the ledger, and what became of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from kentongan.alert import (
    Alert,
    AlertType,
    Certainty,
    Control,
    Lane,
    Mode,
    Option,
    Severity,
    Urgency,
    Words,
)
from kentongan.audience import Audience
from kentongan.clock import Micros, seconds
from kentongan.delivery import Work
from kentongan.ids import AlertId, AttemptRef, DeliveryId, KeyId, new_alert_id, new_delivery_id
from ledger import alerts
from ledger.engine import Ledger, read_now
from ledger.schema import alerts as alert_rows
from ledger.schema import attempts, deliveries, inbound, provider_events, responses

PHONE = "+628111000001"
_ATTEMPT = {"sender": "+15005550006", "worker": "wrk_" + "0" * 26}
SAFE = Option(key="1", label={"en": "I am safe", "id": "Saya aman"})
HELP = Option(key="2", label={"en": "I need help", "id": "Saya butuh bantuan"})


async def alert(ledger: Ledger, *, lives: float = 3600, **changes: Any) -> AlertId:
    """Write down an alert that expires in `lives` seconds."""
    async with ledger.write() as db:
        now = await read_now(db)
        dull: dict[str, Any] = {
            "id": new_alert_id(),
            "mode": Mode.ACTUAL,
            "type": AlertType.ALERT,
            "severity": Severity.SEVERE,
            "urgency": Urgency.IMMEDIATE,
            "certainty": Certainty.OBSERVED,
            "lane": Lane.FLASH,
            "words": {
                "en": Words(headline="Flood", text="Water rises.\nMove up now."),
                "id": Words(headline="Banjir", text="Air naik.\nSegera ke atas."),
            },
            "audience": Audience(),
            "channels": ("sms", "voice", "email"),
            "options": (SAFE, HELP),
            "made_by": KeyId("key_" + "0" * 26),
            "accepted_at": Micros(now),
            "expires_at": Micros(now + seconds(lives)),
        }
        made = Alert(**dull | changes)
        await alerts.add(db, made, expand_at=now)
    return made.id


async def stop(ledger: Ledger, alert_id: str) -> None:
    async with ledger.write() as db:
        await db.execute(
            update(alert_rows).where(alert_rows.c.id == alert_id).values(control=Control.STOPPED)
        )


async def delivery(
    ledger: Ledger,
    alert_id: str,
    *,
    channel: str = "sms",
    address: str = PHONE,
    work: Work = Work.SETTLED,
    tries: Sequence[Mapping[str, Any]] = ({"outcome": "accepted"},),
    locale: str = "id",
) -> DeliveryId:
    """Write down a delivery with one attempt for each of `tries` (columns of its row)."""
    made = new_delivery_id()
    async with ledger.write() as db:
        now = await read_now(db)
        await db.execute(
            insert(deliveries).values(
                id=made,
                alert_id=alert_id,
                channel=channel,
                address=address,
                locale=locale,
                work=work,
                attempts=len(tries),
                tries=len(tries),
                due_at=now if work is Work.RETRY_WAIT else None,
            )
        )
        common = {"alert_id": alert_id, "channel": channel, "opened_at": now}
        for no, columns in enumerate(tries, start=1):
            row = {**_ATTEMPT, **common, "delivery_id": made, "no": no, **columns}
            await db.execute(insert(attempts).values(**row))
    return made


async def asked(ledger: Ledger, **changes: Any) -> DeliveryId:
    """Write down a dull alert and one delivery of it."""
    return await delivery(ledger, await alert(ledger, **changes))


async def row_of(ledger: Ledger, delivery_id: str) -> Any:
    async with ledger.read() as db:
        query = select(deliveries).where(deliveries.c.id == delivery_id)
        return (await db.execute(query)).one()


async def attempt_row(ledger: Ledger, ref: AttemptRef) -> Any:
    async with ledger.read() as db:
        query = select(attempts).where(
            attempts.c.delivery_id == ref.delivery_id, attempts.c.no == ref.no
        )
        return (await db.execute(query)).one()


async def answers(ledger: Ledger, delivery_id: str) -> list[tuple[str, str, bool]]:
    """Return option, way and whether it counts, in the order in which they came."""
    query = (
        select(responses.c.option, responses.c.via, responses.c.first)
        .where(responses.c.delivery_id == delivery_id)
        .order_by(responses.c.id)
    )
    async with ledger.read() as db:
        return [(row.option, row.via, bool(row.first)) for row in await db.execute(query)]


async def messages(ledger: Ledger) -> list[tuple[str, str, str | None]]:
    """Return body, meaning and delivery of what people sent."""
    async with ledger.read() as db:
        rows = await db.execute(select(inbound).order_by(inbound.c.id))
        return [(row.body, row.meaning, row.delivery_id) for row in rows]


async def kept(ledger: Ledger) -> list[Any]:
    async with ledger.read() as db:
        return list(await db.execute(select(provider_events).order_by(provider_events.c.id)))
