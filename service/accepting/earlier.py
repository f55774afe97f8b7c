"""The earlier alerts that an alert speaks of: what it updates, withdraws or corrects."""

from collections.abc import Mapping
from dataclasses import dataclass

from kentongan import caps
from kentongan.alert import ALL_CLEAR, Alert, AlertType
from kentongan.ids import AlertId
from ledger import alerts
from ledger.engine import Db
from service.accepting.faults import Faults
from service.api.alert_bodies import NewAlert
from service.calls import Call


def is_correction(body: NewAlert) -> bool:
    """Tell whether it stops its original and goes to exactly those who may have got that."""
    return body.type is AlertType.CANCEL or (body.type is AlertType.UPDATE and body.stop_original)


def goes_first(body: NewAlert) -> bool:
    """Tell whether its lane is flash whatever its severity: corrections and all clears."""
    is_all_clear = body.type is not AlertType.ALERT and body.template == ALL_CLEAR
    return is_correction(body) or is_all_clear


def is_capped(body: NewAlert) -> bool:
    """Tell whether caps will bind it."""
    return caps.bind(body.mode, body.severity, takes_back=goes_first(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Those alerts that there are and that the caller may know of; `original` is corrected."""

    known: Mapping[AlertId, Alert]
    original: Alert | None = None


async def earlier_of(call: Call, db: Db, body: NewAlert, faults: Faults) -> Earlier:
    """Look up what `body` references; what is somebody else's does not exist for this caller."""
    of = body.audience.of if body.audience else None
    asked = [*body.references, *([of.alert] if of else [])]
    found = await alerts.several(db, asked) if asked else {}
    known = {key: alert for key, alert in found.items() if call.may_see(alert.made_by)}
    _note_references(body, known, faults)
    if of and AlertId(of.alert) not in known:
        faults.note("audience/of/alert", "There is no such alert.", "Check the id.")
    if not is_correction(body):
        return Earlier(known=known)
    _note_correction(body, faults)
    first = AlertId(body.references[0]) if body.references else None
    return Earlier(known=known, original=known.get(first) if first else None)


def _note_references(body: NewAlert, known: Mapping[AlertId, Alert], faults: Faults) -> None:
    if body.type is AlertType.ALERT:
        if body.references:
            faults.note("references", "A new alert has none.", "Make it an update or a cancel.")
        if body.stop_original:
            faults.note("stop_original", "There is no original.", "Make it an update.")
    elif not body.references:
        faults.note("references", f"This {body.type} is about nothing.", "Name an earlier alert.")
    for place, one in enumerate(body.references):
        alert = known.get(AlertId(one))
        if alert is None:
            faults.note(f"references/{place}", "There is no such alert.", "Check the id.")
        elif alert.mode is not body.mode:
            faults.note(
                "mode",
                f"What it references is of mode {alert.mode}; a drill and the real never mix.",
                f"Use {alert.mode}.",
            )


def _note_correction(body: NewAlert, faults: Faults) -> None:
    if len(body.references) > 1:
        faults.note(
            "references",
            "A correction has exactly one original.",
            "Send one for each, so that each reaches those who may have got that one.",
        )
    if body.audience is not None:
        faults.note(
            "audience",
            "A correction goes to exactly those who may have got its original.",
            "Leave audience out; to tell others, send an update without stop_original.",
        )
    if body.send_at is not None:
        faults.note("send_at", "A correction does not wait.", "Leave send_at out.")
