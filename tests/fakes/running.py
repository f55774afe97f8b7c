"""Alerts in the midst of their lives, written straight into a ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update

from kentongan.alert import Alert, AlertType, Certainty, Mode, Severity, Urgency, Words, lane_of
from kentongan.audience import Audience
from kentongan.clock import Micros, seconds
from kentongan.expansion import Expanded, Member, Stage, expand
from kentongan.ids import DeliveryId, KeyId, RecipientId, new_alert_id
from ledger import alerts, expansion
from ledger.engine import Ledger, read_now
from ledger.schema import attempts, deliveries

Point = tuple[str, str]


def an_alert(now: int, **changes: Any) -> Alert:
    """Return a dull alert."""
    dull: dict[str, Any] = {
        "id": new_alert_id(),
        "mode": Mode.EXERCISE,
        "type": AlertType.ALERT,
        "severity": Severity.SEVERE,
        "urgency": Urgency.IMMEDIATE,
        "certainty": Certainty.OBSERVED,
        "lane": lane_of(Severity.SEVERE, Urgency.IMMEDIATE, correction=False),
        "words": {"en": Words(headline="Flood", text="Water rises.")},
        "audience": Audience(),
        "channels": ("sms", "email"),
        "made_by": KeyId("key_" + "0" * 26),
        "accepted_at": Micros(now),
        "expires_at": Micros(now + seconds(3600)),
    }
    return Alert(**dull | changes)


@dataclass(frozen=True)
class Running:
    """An expanded alert, and what its first page added."""

    alert: Alert
    page: Expanded

    def delivery(self, address: str) -> DeliveryId:
        return next(d.id for d in self.page.deliveries if d.address == address)


async def expanded(
    ledger: Ledger,
    people: Mapping[str, Sequence[Point]],
    *,
    recipients: Mapping[str, RecipientId] | None = None,
    **changes: Any,
) -> Running:
    """Write an alert and its `people`: contact points by name."""
    async with ledger.write() as db:
        alert = an_alert(await read_now(db), **changes)
        page = expand(
            [
                Member(
                    recipient_id=(recipients or {}).get(name),
                    name=name,
                    locale="en",
                    points=tuple(points),
                )
                for name, points in people.items()
            ],
            alert,
            fallback_locale="en",
            units={(channel, "en"): 1 for channel in alert.channels},
            suppressed=(),
            known={},
        )
        await alerts.add(db, alert, expand_at=alert.accepted_at)
        was = await expansion.progress(db, alert.id)
        assert was is not None
        await expansion.write_page(db, alert.id, was=was, page=page, stage=Stage.DONE, cursor="")
    return Running(alert, page)


async def becomes(ledger: Ledger, delivery: str, **parts: Any) -> None:
    """Set parts of a delivery: work, receipt, response, reason."""
    async with ledger.write() as db:
        await db.execute(update(deliveries).where(deliveries.c.id == delivery).values(parts))


async def tried(ledger: Ledger, alert: str, delivery: str, **parts: Any) -> None:
    """Write an attempt of a delivery."""
    async with ledger.write() as db:
        now = await read_now(db)
        dull: dict[str, Any] = {
            "delivery_id": delivery,
            "no": 1,
            "alert_id": alert,
            "channel": "sms",
            "sender": "+1500",
            "worker": "wrk_" + "0" * 26,
            "opened_at": now,
        }
        await db.execute(insert(attempts).values(dull | parts))
