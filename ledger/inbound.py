"""What people send to us, kept first and then understood: an answer, a STOP, or for a human."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Mode
from kentongan.clock import seconds
from kentongan.ids import DeliveryId, new_id
from kentongan.keywords import Keyword, meaning, option_of
from kentongan.receipt import RANK, Inbound, Pressed, ReceiptKind
from ledger import senders, suppressions
from ledger.dialect import insert_or_skip
from ledger.responses import ACKNOWLEDGED, respond
from ledger.schema import alerts, attempts, deliveries
from ledger.schema import inbound as messages

#: An answer may come this many seconds after its alert expired: phones are off, people are busy.
GRACE = 24 * 3600.0
#: How many deliveries to one contact point are looked through for the one that is answered.
_LOOKED_THROUGH = 50
#: The key that acknowledges a call which asked nothing (what the call says: "press 1").
_CONFIRM = "1"

#: Suppressions that a person can lift by START: their own, and their carrier's memory of it.
_THEIR_OWN = frozenset({"recipient", "provider"})


class Meaning(StrEnum):
    """What became of a message or a key."""

    RESPONSE = "response"
    STOP = "stop"
    START = "start"
    UNREAD = "unread"  # nothing for us; a human reads it
    REPEATED = "repeated"  # the provider told us once more


async def hear(
    db: AsyncConnection,
    channel: str,
    message: Inbound,
    *,
    modes: Collection[Mode],
    now: int,
    provider: str = "",
) -> Meaning:
    """Keep a message, once however often it is told, and do what it says.

    Whoever writes to a sender of ours is written to from that one (`provider` brought it). `modes`
    are those that the teller carries: what the simulator says changes nothing that is
    real, neither an actual alert's answers nor whom we may write to.
    """
    inbound_id = await _kept(db, channel, message, now)
    if inbound_id is None:
        return Meaning.REPEATED
    if Mode.ACTUAL in modes and message.to:
        await senders.wrote(db, channel, message.address, provider=provider, to=message.to)
    found, delivery_id = await _understood(db, channel, message, modes=modes, now=now)
    if found is not Meaning.UNREAD:
        await db.execute(
            update(messages)
            .where(messages.c.id == inbound_id)
            .values(meaning=found, delivery_id=delivery_id)
        )
    return found


async def _kept(db: AsyncConnection, channel: str, message: Inbound, now: int) -> str | None:
    """Keep a message; None where it was told before."""
    inbound_id = new_id("inbound")
    kept = await db.execute(
        insert_or_skip(db, messages)
        .values(
            id=inbound_id,
            channel=channel,
            address=message.address,
            body=message.body,
            provider_id=message.provider_id,
            came_at=now,
            meaning=Meaning.UNREAD,
        )
        .returning(messages.c.id)
    )
    return None if kept.first() is None else inbound_id


async def _understood(
    db: AsyncConnection, channel: str, message: Inbound, *, modes: Collection[Mode], now: int
) -> tuple[Meaning, DeliveryId | None]:
    is_real = Mode.ACTUAL in modes
    match meaning(message.body):
        case Keyword.STOP if is_real:
            await suppressions.suppress(
                db, channel, message.address, reason="stop_word", made_by="recipient", now=now
            )
            return Meaning.STOP, None
        case Keyword.START if is_real and await _lifted(db, channel, message.address, now):
            return Meaning.START, None
        case Keyword.NONE:
            return await _answered(db, channel, message, modes=modes, now=now)
        case _:
            return Meaning.UNREAD, None


async def _lifted(db: AsyncConnection, channel: str, address: str, now: int) -> bool:
    """Lift what the person made; what an officer suppressed, an officer lifts."""
    there = await suppressions.in_force(db, channel, address)
    if there is None or there.made_by not in _THEIR_OWN:
        return False
    lifted = await suppressions.lift(db, there.id, reason="start_word", by="recipient", now=now)
    return lifted is not None


async def _answered(
    db: AsyncConnection, channel: str, message: Inbound, *, modes: Collection[Mode], now: int
) -> tuple[Meaning, DeliveryId | None]:
    """Find the latest open alert that asked this contact point and knows this answer."""
    query = (
        select(deliveries.c.id, alerts.c.options)
        .join(alerts, alerts.c.id == deliveries.c.alert_id)
        .where(
            deliveries.c.channel == channel,
            deliveries.c.address == message.address,
            deliveries.c.attempts > 0,
            alerts.c.mode.in_(sorted(modes)),
            alerts.c.expires_at > now - seconds(GRACE),
        )
        .order_by(deliveries.c.id.desc())
        .limit(_LOOKED_THROUGH)
    )
    for row in (await db.execute(query)).all():
        key = option_of(message.body, _keys(row.options))
        if key is not None:
            await respond(db, DeliveryId(row.id), key, channel, now)
            return Meaning.RESPONSE, DeliveryId(row.id)
    return Meaning.UNREAD, None


def _keys(options: Sequence[Any]) -> list[str]:
    return [option["key"] for option in options]


async def press(
    db: AsyncConnection, channel: str, pressed: Pressed, *, modes: Collection[Mode], now: int
) -> Meaning:
    """Take a key as the answer of the person who was called, if it is one that was asked for."""
    delivery_id, no = pressed.attempt.delivery_id, pressed.attempt.no
    query = (
        select(attempts.c.provider_id, attempts.c.receipt, alerts.c.options)
        .join(alerts, alerts.c.id == attempts.c.alert_id)
        .where(
            attempts.c.delivery_id == delivery_id,
            attempts.c.no == no,
            attempts.c.channel == channel,
            alerts.c.mode.in_(sorted(modes)),
        )
    )
    row = (await db.execute(query)).one_or_none()
    if row is None or row.receipt == RANK[ReceiptKind.MACHINE]:
        return Meaning.UNREAD
    if row.provider_id and pressed.provider_id and row.provider_id != pressed.provider_id:
        return Meaning.UNREAD  # another call than ours
    option = _option_of_key(pressed.key, _keys(row.options))
    if option is None:
        return Meaning.UNREAD
    await respond(db, delivery_id, option, channel, now)
    return Meaning.RESPONSE


def _option_of_key(key: str, keys: Sequence[str]) -> str | None:
    if key in keys:
        return key
    return ACKNOWLEDGED if not keys and key == _CONFIRM else None
