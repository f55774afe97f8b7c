"""The people of an alert, and one of them: everything that was tried, said and answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from kentongan.alert import Alert
from kentongan.delivery import PersonState
from ledger import alert_people, deliveries
from ledger.delivery_story import story
from ledger.engine import Db
from ledger.overviews import Overview
from service.api.alert_paths import whole
from service.api.delivery_views import Moment, WholeDelivery, whole_delivery, without
from service.console.filters import asked
from service.console.headlines import headline_of
from service.console.rendering import page
from service.console.visit import Visit
from service.web.problems import missing

PAGE = 50


async def show(visit: Visit) -> web.Response:
    """Show a page of people, in the order in which they were found."""
    alert_id = visit.request.match_info["alert_id"]
    async with visit.ledger.read() as db:
        standing, alert = await whole(visit, db, alert_id)
        labels = _labels(alert, visit)
        wanted = asked(visit.request, {"state": set(PersonState), "answer": labels}, "q", "after")
        found = await alert_people.page(
            db,
            alert_id,
            states=[PersonState(wanted.get("state"))] if wanted.get("state") else (),
            responses=[wanted.get("answer")] if wanted.get("answer") else (),
            prefix=wanted.get("q"),
            waiting_shows=standing.waiting_shows,
            after=wanted.get("after"),
            limit=PAGE + 1,
        )
    shown = found[:PAGE]
    return page(
        visit,
        "people",
        alert=standing,
        headline=headline_of(standing.headlines, standing.mode, visit.speech.language),
        asked=wanted,
        states=list(PersonState),
        labels=labels,
        people=shown,
        next=shown[-1].id if len(found) > PAGE else "",
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery of theirs with all that is known.

    `details` are the provider's words by attempt, `raw` its events by their place in the timeline,
    both as everybody may see them.
    """

    whole: WholeDelivery
    details: Mapping[int, str]
    raw: Mapping[int, str]


async def show_one(visit: Visit) -> web.Response:
    """Show one person; addresses stay masked in what providers said as well."""
    alert_id, person_id = (visit.request.match_info[at] for at in ("alert_id", "person_id"))
    async with visit.ledger.read() as db:
        standing, alert = await whole(visit, db, alert_id)
        person = await alert_people.find(
            db, alert_id, person_id, waiting_shows=standing.waiting_shows
        )
        if person is None:
            raise missing("person")
        told = [await _told(visit, db, standing, way.delivery_id) for way in person.ways]
    return page(
        visit,
        "person",
        alert=standing,
        headline=headline_of(standing.headlines, standing.mode, visit.speech.language),
        person=person,
        told=told,
        labels=_labels(alert, visit),
    )


async def _told(visit: Visit, db: Db, standing: Overview, delivery_id: str) -> Told:
    found = await deliveries.get(db, delivery_id)
    assert found is not None  # deliveries are never deleted
    shown = found.as_of(standing.waiting_shows)
    whole_one = whole_delivery(visit, shown, await story(db, delivery_id))
    masked = visit.shown(found.address)
    return Told(
        whole=whole_one,
        details={
            each.no: without(found.address, masked, each.detail)
            for each in whole_one.tries
            if each.detail
        },
        raw={
            place: without(found.address, masked, _as_text(moment))
            for place, moment in enumerate(whole_one.timeline)
            if moment.raw is not None
        },
    )


def _as_text(moment: Moment) -> str:
    return json.dumps(moment.raw, ensure_ascii=False, indent=2, sort_keys=True)


def _labels(alert: Alert, visit: Visit) -> dict[str, str]:
    return {option.key: option.label_in(visit.speech.language) for option in alert.options}
