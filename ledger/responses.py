"""What people answer: the first answer wins, later ones are kept, and all waiting ends."""

from dataclasses import dataclass

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Alert
from kentongan.delivery import Work
from kentongan.ids import DeliveryId, new_id
from kentongan.settling import Resolution
from ledger.alerts import alert_of
from ledger.schema import alerts, attempts, deliveries, responses

#: The response of somebody who was asked nothing and says that they have read it.
ACKNOWLEDGED = ""


async def respond(
    db: AsyncConnection, delivery_id: DeliveryId, option: str, via: str, now: int
) -> bool:
    """Keep a person's answer to a delivery; return whether it is the first, which is what counts.

    `option` is an option's key or `ACKNOWLEDGED`, `via` a channel's name or `page`. Saying the same
    thing again the same way, as a repeated callback does, leaves no second row.
    """
    await _end_waiting(db, delivery_id, now)
    answered = await db.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.response.is_(None))
        .values(response=option)
    )
    first = bool(answered.rowcount)
    if not first and await _last(db, delivery_id) == (option, via):
        return False
    await db.execute(
        responses.insert().values(
            id=new_id("response"),
            delivery_id=delivery_id,
            option=option,
            via=via,
            came_at=now,
            first=first,
        )
    )
    return first


async def _end_waiting(db: AsyncConnection, delivery_id: DeliveryId, now: int) -> None:
    """Settle what would be tried again, or asked about: whoever answers has got the message.

    The delivery is locked before its attempts, the order in which everyone else locks them.
    """
    await db.execute(
        select(deliveries.c.id).where(deliveries.c.id == delivery_id).with_for_update()
    )
    await db.execute(
        update(attempts)
        .where(
            attempts.c.delivery_id == delivery_id,
            attempts.c.outcome == "unknown",
            attempts.c.resolution.is_(None),
            exists().where(
                deliveries.c.id == delivery_id,
                deliveries.c.work == Work.UNKNOWN,
                deliveries.c.attempts == attempts.c.no,
            ),
        )
        .values(
            resolution=Resolution.SETTLED,
            resolution_by="response",
            resolution_at=now,
            ask_at=None,
        )
    )
    await db.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery_id,
            or_(
                deliveries.c.work.in_((Work.RETRY_WAIT, Work.UNKNOWN)),
                # A later attempt was handed back; what was never tried was answered elsewhere.
                and_(deliveries.c.work == Work.PENDING, deliveries.c.attempts > 0),
            ),
        )
        .values(work=Work.SETTLED, reason=None, due_at=None, settled_at=now)
    )


async def _last(db: AsyncConnection, delivery_id: DeliveryId) -> tuple[str, str] | None:
    query = (
        select(responses.c.option, responses.c.via)
        .where(responses.c.delivery_id == delivery_id)
        .order_by(responses.c.id.desc())
        .limit(1)
    )
    row = (await db.execute(query)).one_or_none()
    return (row.option, row.via) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """A delivery as the person whom it addresses may see it.

    `answers` in the order in which they came; `is_replaced`: a correction of the alert exists.
    """

    id: DeliveryId
    channel: str
    address: str
    locale: str
    answers: tuple[str, ...]
    alert: Alert
    is_replaced: bool


async def addressed(db: AsyncConnection, delivery_id: DeliveryId) -> Addressed | None:
    """Return a delivery with its alert; None where there is none (any more)."""
    later = alerts.alias("later")
    query = (
        select(
            alerts,
            deliveries.c.channel,
            deliveries.c.address,
            deliveries.c.locale,
            exists().where(later.c.corrects == alerts.c.id).label("is_replaced"),
        )
        .join(deliveries, deliveries.c.alert_id == alerts.c.id)
        .where(deliveries.c.id == delivery_id)
    )
    row = (await db.execute(query)).one_or_none()
    if row is None:
        return None
    return Addressed(
        id=delivery_id,
        channel=row.channel,
        address=row.address,
        locale=row.locale,
        answers=await _answers(db, delivery_id),
        alert=alert_of(row),
        is_replaced=bool(row.is_replaced),
    )


async def _answers(db: AsyncConnection, delivery_id: DeliveryId) -> tuple[str, ...]:
    query = (
        select(responses.c.option)
        .where(responses.c.delivery_id == delivery_id)
        .order_by(responses.c.id)
    )
    return tuple((await db.execute(query)).scalars())
