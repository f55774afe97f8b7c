"""The receipts of an alert: every message, narrowed by filters that stand in the address."""

from aiohttp import web

from kentongan.delivery import State
from kentongan.outcome import Reason
from ledger import deliveries
from ledger.deliveries import Filter
from ledger.overviews import Overview
from service.api.alert_paths import seen
from service.console.filters import Asked, asked
from service.console.headlines import headline_of
from service.console.rendering import page
from service.console.visit import Visit

PAGE = 50


async def show(visit: Visit) -> web.Response:
    """Show a page of deliveries, in the order of their making."""
    alert_id = visit.request.match_info["alert_id"]
    async with visit.ledger.read() as db:
        standing = await seen(visit, db, alert_id)
        wanted = _asked(visit.request, standing)
        found = await deliveries.page(
            db, alert_id, _filter(standing, wanted), after=wanted.get("after"), limit=PAGE + 1
        )
    shown = found[:PAGE]
    return page(
        visit,
        "receipts",
        alert=standing,
        headline=headline_of(standing.headlines, standing.mode, visit.speech.language),
        asked=wanted,
        states=list(State),
        reasons=list(Reason),
        deliveries=shown,
        masked=visit.shown,
        next=shown[-1].id if len(found) > PAGE else "",
    )


def _asked(request: web.Request, standing: Overview) -> Asked:
    closed = {"state": set(State), "channel": standing.channels, "reason": set(Reason)}
    return asked(request, closed, "q", "after")


def _filter(standing: Overview, wanted: Asked) -> Filter:
    """Return it; nobody finds addresses here that are masked, letter by letter."""
    state, channel, reason = wanted.get("state"), wanted.get("channel"), wanted.get("reason")
    return Filter(
        states=[State(state)] if state else (),
        channels=[channel] if channel else (),
        reasons=[reason] if reason else (),
        prefix=wanted.get("q"),
        waiting_shows=standing.waiting_shows,
    )
