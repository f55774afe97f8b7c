"""Finding the alert that a path names, where the caller may know of it."""

from kentongan.alert import Alert
from ledger import alerts, overviews
from ledger.engine import Db
from ledger.overviews import Overview
from service.api.alert_bodies import AlertIdText
from service.viewers import Viewer
from service.web.bodies import Path
from service.web.problems import missing


class AlertPath(Path):
    alert_id: AlertIdText


async def seen(viewer: Viewer, db: Db, alert_id: str) -> Overview:
    """Return how an alert stands; raise the 404 of what is not there or not the caller's."""
    found = await overviews.get(db, alert_id)
    if found is None or not viewer.may_see(found.made_by):
        raise missing("alert")
    return found


async def whole(viewer: Viewer, db: Db, alert_id: str) -> tuple[Overview, Alert]:
    """Return how an alert stands, and what was asked for."""
    found, alert = await seen(viewer, db, alert_id), await alerts.get(db, alert_id)
    assert alert is not None  # alerts are never deleted between two statements
    return found, alert
