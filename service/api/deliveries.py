"""`/v1/alerts/{id}/deliveries` and `/v1/deliveries`: every message, and all that became of it."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from kentongan.access import Act, Extent
from kentongan.delivery import State
from ledger import deliveries
from ledger.deliveries import Filter
from ledger.delivery_story import story
from ledger.overviews import Overview
from service.api.alert_bodies import ChannelName, RecipientIdText, ResponseText
from service.api.alert_paths import AlertPath, seen
from service.api.delivery_exports import CSV, NDJSON, Format, stream
from service.api.delivery_views import DeliveryPage, WholeDelivery, delivery_out, whole_delivery
from service.calls import Call
from service.web.bodies import Path, Query, id_pattern
from service.web.openapi import Api, Stream
from service.web.problems import missing

api = Api("deliveries")

DeliveryIdText = Annotated[str, Field(pattern=id_pattern("dlv_"))]
ReasonText = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class DeliveryPath(Path):
    delivery_id: DeliveryIdText


class Wanted(Query):
    """Which deliveries; names that are repeated ask for any of their values."""

    state: list[State] = Field(default_factory=list, max_length=len(State))
    channel: list[ChannelName] = Field(default_factory=list, max_length=20)
    reason: list[ReasonText] = Field(default_factory=list, max_length=20)
    response: list[ResponseText] = Field(
        default_factory=list,
        max_length=10,
        description="The key of an option that was the first answer; empty for bare "
        "acknowledgements.",
    )
    recipient: RecipientIdText | None = None
    q: str = Field(
        "",
        max_length=100,
        description="How somebody's name begins, in any spelling, or their address, for who sees "
        "those.",
    )


class WantedPage(Wanted):
    limit: int = Field(100, ge=1, le=500)
    cursor: DeliveryIdText | None = Field(None, description="`next` of the page before.")


@api.op("GET", "/v1/alerts/{alert_id}/deliveries", may=Act.READ_ALERT)
async def list_deliveries(call: Call, *, path: AlertPath, query: WantedPage) -> DeliveryPage:
    """List the deliveries of an alert in the order of their making."""
    async with call.ledger.read() as db:
        which = _filter(call, await seen(call, db, path.alert_id), query)
        found = await deliveries.page(
            db, path.alert_id, which, after=query.cursor or "", limit=query.limit + 1
        )
    shown = found[: query.limit]
    return DeliveryPage(
        deliveries=[delivery_out(call, one) for one in shown],
        next=shown[-1].id if len(found) > query.limit else None,
    )


def _filter(call: Call, standing: Overview, wanted: Wanted) -> Filter:
    return Filter(
        states=wanted.state,
        channels=wanted.channel,
        reasons=wanted.reason,
        responses=wanted.response,
        recipient=wanted.recipient,
        prefix=wanted.q,
        by_address=call.extent is Extent.ALL,
        waiting_shows=standing.waiting_shows,
    )


@api.op(
    "GET",
    "/v1/alerts/{alert_id}/deliveries.csv",
    may=Act.READ_ALERT,
    gives={
        200: Stream(
            CSV.content_type,
            "RFC 4180 with a header; people who share a contact point are joined by `; `, their "
            "ids by `;`. The last record is `rows` and their number: without it the file was cut "
            "off.",
        )
    },
)
async def export_csv(call: Call, *, path: AlertPath, query: Wanted) -> web.StreamResponse:
    """Export all deliveries of an alert as CSV that no spreadsheet runs formulas from."""
    return await _export(call, path.alert_id, query, CSV)


@api.op(
    "GET",
    "/v1/alerts/{alert_id}/deliveries.ndjson",
    may=Act.READ_ALERT,
    gives={
        200: Stream(
            NDJSON.content_type,
            'One JSON object a line, as in the list. The last line is `{"rows": n}`: without it '
            "the file was cut off.",
        )
    },
)
async def export_ndjson(call: Call, *, path: AlertPath, query: Wanted) -> web.StreamResponse:
    """Export all deliveries of an alert as lines of JSON."""
    return await _export(call, path.alert_id, query, NDJSON)


async def _export(call: Call, alert_id: str, query: Wanted, style: Format) -> web.StreamResponse:
    async with call.ledger.read() as db:
        standing = await seen(call, db, alert_id)
    return await stream(call, alert_id, _filter(call, standing, query), style)


@api.op("GET", "/v1/deliveries/{delivery_id}", may=Act.READ_ALERT)
async def read_delivery(call: Call, *, path: DeliveryPath) -> WholeDelivery:
    """Read one delivery: its attempts, reports and responses, and the provider's raw words."""
    async with call.ledger.read() as db:
        found = await deliveries.get(db, path.delivery_id)
        if found is None:
            raise missing("delivery")
        standing = await seen(call, db, found.alert_id)
        shown = found.as_of(standing.waiting_shows)
        return whole_delivery(call, shown, await story(db, found.id))
