"""What an alert shows: its state, and the last count of what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from kentongan.alert import AlertState, AlertType, Control, Lane, Mode, Severity
from kentongan.clock import seconds
from kentongan.delivery import State
from kentongan.expansion import Stage
from kentongan.ids import AlertId, KeyId
from ledger.claims import LEAST_LIFE
from ledger.counts import Counted, Counts
from ledger.dialect import db_now
from ledger.schema import alert_progress, alerts, attempts, deliveries
from ledger.schema_people import api_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """An alert as lists show it. Times in epoch microseconds, `now` by the ledger's clock."""

    id: AlertId
    state: AlertState
    mode: Mode
    type: AlertType
    severity: Severity
    lane: Lane
    headlines: Mapping[str, str]
    channels: tuple[str, ...]
    references: tuple[AlertId, ...]
    corrects: AlertId | None
    made_by: KeyId
    made_by_name: str | None
    source: str
    control: Control
    control_at: int | None
    control_by: str | None
    accepted_at: int
    send_at: int | None
    send_zone: str | None
    expires_at: int
    expanded_at: int | None
    set_aside_at: int | None
    counted: Counted | None
    now: int

    @property
    def waiting_shows(self) -> State:
        """What a delivery that waits shows by now; the rows themselves follow in pages."""
        if self.control is Control.STOPPED:
            return State.STOPPED
        over = self.expires_at <= self.now + seconds(LEAST_LIFE)
        return State.EXPIRED if over else State.WAITING


async def get(db: AsyncConnection, alert_id: str) -> Overview | None:
    row = (await db.execute(_overviews().where(alerts.c.id == alert_id))).one_or_none()
    return _overview(row) if row else None


async def page(
    db: AsyncConnection,
    *,
    made_by: str | None = None,
    mode: Mode | None = None,
    state: AlertState | None = None,
    since: int | None = None,
    before: str | None = None,
    running: bool = False,
    limit: int,
) -> list[Overview]:
    """Return alerts, the latest first, those older than the id `before`.

    `running` are those of which something is still to be sent.
    """
    query = _overviews().order_by(alerts.c.id.desc()).limit(limit)
    if made_by is not None:
        query = query.where(alerts.c.made_by == made_by)
    if mode is not None:
        query = query.where(alerts.c.mode == mode)
    if state is not None:
        query = query.where(_state() == state)
    if since is not None:
        query = query.where(alerts.c.accepted_at >= since)
    if before is not None:
        query = query.where(alerts.c.id < before)
    if running:  # the time first: the state costs a look at deliveries
        query = query.where(alerts.c.expires_at > db_now(), _state().in_(_RUNNING))
    return [_overview(row) for row in await db.execute(query)]


_RUNNING = (AlertState.SCHEDULED, AlertState.EXPANDING, AlertState.SENDING, AlertState.PAUSED)


def _overviews() -> Select[Any]:
    return (
        select(
            alerts.c.id,
            alerts.c.mode,
            alerts.c.type,
            alerts.c.severity,
            alerts.c.lane,
            alerts.c.wording,
            alerts.c.channels,
            alerts.c.references,
            alerts.c.corrects,
            alerts.c.made_by,
            alerts.c.source,
            alerts.c.control,
            alerts.c.control_at,
            alerts.c.control_by,
            alerts.c.accepted_at,
            alerts.c.send_at,
            alerts.c.send_zone,
            alerts.c.expires_at,
            alert_progress.c.expanded_at,
            alert_progress.c.set_aside_at,
            alert_progress.c.counts,
            alert_progress.c.counted_at,
            alert_progress.c.counted_in,
            api_keys.c.name.label("made_by_name"),
            _state().label("state"),
            db_now().label("now"),
        )
        .join(alert_progress, alert_progress.c.alert_id == alerts.c.id)
        .outerjoin(api_keys, api_keys.c.id == alerts.c.made_by)
    )


def _state() -> ColumnElement[str]:
    """Return the state of an alert: the first that holds (docs/states.md)."""
    over = alerts.c.expires_at <= db_now() + seconds(LEAST_LIFE)
    unexpanded = alert_progress.c.stage != Stage.DONE
    return case(
        (alerts.c.control == Control.STOPPED, AlertState.STOPPED),
        (and_(over, _any(State.SENDING)), AlertState.SENDING),
        (and_(over, or_(unexpanded, _any(State.EXPIRED, State.WAITING))), AlertState.EXPIRED),
        (over, AlertState.ENDED),
        (alerts.c.control == Control.PAUSED, AlertState.PAUSED),
        (alerts.c.send_at > db_now(), AlertState.SCHEDULED),
        (unexpanded, AlertState.EXPANDING),
        (or_(_any(State.WAITING, State.SENDING), _any_asked_about()), AlertState.SENDING),
        else_=AlertState.SENT,
    )


def _any(*states: State) -> ColumnElement[bool]:
    return exists().where(deliveries.c.alert_id == alerts.c.id, deliveries.c.state.in_(states))


def _any_asked_about() -> ColumnElement[bool]:
    """An unknown that nobody can be asked about any more stays unknown and holds nothing up."""
    return exists().where(
        deliveries.c.alert_id == alerts.c.id,
        deliveries.c.state == State.UNKNOWN,
        attempts.c.delivery_id == deliveries.c.id,
        attempts.c.ask_at.is_not(None),
    )


def _overview(row: Any) -> Overview:
    return Overview(
        id=AlertId(row.id),
        state=AlertState(row.state),
        mode=Mode(row.mode),
        type=AlertType(row.type),
        severity=Severity(row.severity),
        lane=Lane(row.lane),
        headlines={at: said["headline"] for at, said in row.wording["words"].items()},
        channels=tuple(row.channels),
        references=tuple(row.references),
        corrects=AlertId(row.corrects) if row.corrects else None,
        made_by=KeyId(row.made_by),
        made_by_name=row.made_by_name,
        source=row.source,
        control=Control(row.control),
        control_at=row.control_at,
        control_by=row.control_by,
        accepted_at=row.accepted_at,
        send_at=row.send_at,
        send_zone=row.send_zone,
        expires_at=row.expires_at,
        expanded_at=row.expanded_at,
        set_aside_at=row.set_aside_at,
        counted=_counted(row),
        now=row.now,
    )


def _counted(row: Any) -> Counted | None:
    if row.counts is None or row.counted_at is None:
        return None
    return Counted(counts=Counts.from_json(row.counts), at=row.counted_at, took=row.counted_in or 0)
