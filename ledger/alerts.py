"""Queries about alerts. Each takes the connection it runs on; none opens or commits one."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

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
from kentongan.clock import Micros
from kentongan.expansion import Stage
from kentongan.ids import AlertId, KeyId
from ledger.dialect import insert_many, lock_alert
from ledger.engine import read_now
from ledger.schema import alert_progress, alerts


async def add(db: AsyncConnection, alert: Alert, *, expand_at: int) -> None:
    """Write an alert down; its expansion is due at `expand_at` (epoch microseconds)."""
    await add_many(db, [(alert, expand_at)])


async def add_many(db: AsyncConnection, new: Sequence[tuple[Alert, int]]) -> None:
    """Write alerts down, each with the instant at which its expansion is due."""
    await insert_many(db, alerts, [_row(alert) for alert, _ in new])
    await insert_many(
        db,
        alert_progress,
        [{"alert_id": alert.id, "expand_at": due, "stage": Stage.POINTS} for alert, due in new],
    )


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "mode": alert.mode,
        "type": alert.type,
        "severity": alert.severity,
        "urgency": alert.urgency,
        "certainty": alert.certainty,
        "lane": alert.lane,
        "body": dict(alert.body),
        "wording": _wording(alert),
        "audience": alert.audience.to_json(),
        "channels": list(alert.channels),
        "options": [{"key": o.key, "label": dict(o.label)} for o in alert.options],
        "references": list(alert.references),
        "corrects": alert.corrects,
        "made_by": alert.made_by,
        "source": alert.source,
        "accepted_at": alert.accepted_at,
        "send_at": alert.send_at,
        "send_zone": alert.send_zone,
        "expires_at": alert.expires_at,
    }


def _wording(alert: Alert) -> dict[str, Any]:
    return {
        "words": {
            locale: {"headline": said.headline, "text": said.text}
            for locale, said in alert.words.items()
        },
        "channel_words": {name: dict(by) for name, by in alert.channel_words.items()},
    }


async def get(db: AsyncConnection, alert_id: str) -> Alert | None:
    row = (await db.execute(select(alerts).where(alerts.c.id == alert_id))).one_or_none()
    return alert_of(row) if row else None


async def several(db: AsyncConnection, ids: Sequence[str]) -> dict[AlertId, Alert]:
    rows = await db.execute(select(alerts).where(alerts.c.id.in_(ids)))
    return {alert.id: alert for alert in map(alert_of, rows)}


def alert_of(row: Row[Any]) -> Alert:
    """Read a row of `alerts`."""
    return Alert(
        id=AlertId(row.id),
        mode=Mode(row.mode),
        type=AlertType(row.type),
        severity=Severity(row.severity),
        urgency=Urgency(row.urgency),
        certainty=Certainty(row.certainty),
        lane=Lane(row.lane),
        words={locale: Words(**said) for locale, said in row.wording["words"].items()},
        channel_words=row.wording["channel_words"],
        audience=Audience.from_json(row.audience),
        channels=tuple(row.channels),
        options=tuple(Option(**option) for option in row.options),
        references=tuple(row.references),
        corrects=AlertId(row.corrects) if row.corrects else None,
        made_by=KeyId(row.made_by),
        source=row.source,
        body=row.body,
        control=Control(row.control),
        accepted_at=Micros(row.accepted_at),
        send_at=None if row.send_at is None else Micros(row.send_at),
        send_zone=row.send_zone,
        expires_at=Micros(row.expires_at),
    )


#: What each order may change; stopping is final.
_FROM: Mapping[Control, tuple[Control, ...]] = {
    Control.STOPPED: (Control.ACTIVE, Control.PAUSED),
    Control.PAUSED: (Control.ACTIVE,),
    Control.ACTIVE: (Control.PAUSED,),
}


async def set_control(
    db: AsyncConnection, alert_id: str, control: Control, *, by: str, now: int
) -> bool:
    """Stop, pause or resume. False: it was not in a state to be.

    The exclusive lock waits for claims under way; a claim that starts later sees the change, so no
    attempt is opened after this commits.
    """
    await lock_alert(db, alert_id, exclusive=True)
    # Read again: what was claimed while we waited for the lock was opened before this.
    now = max(now, await read_now(db))
    moved = await db.execute(
        update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.control.in_(_FROM[control]))
        .values(control=control, control_at=now, control_by=by)
    )
    if moved.rowcount:
        # The sweep looks again at what it had closed, and at what waited.
        await db.execute(
            update(alert_progress)
            .where(alert_progress.c.alert_id == alert_id)
            .values(closed_at=None, counted_at=None)
        )
    return bool(moved.rowcount)
