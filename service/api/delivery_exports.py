"""Streams all deliveries of an alert in pages; no connection is held while the client drains."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from kentongan.csv_safety import csv_line
from ledger import deliveries
from ledger.deliveries import Filter, Shown
from service.api.delivery_views import DeliveryOut, delivery_out
from service.calls import Call

PAGE = 1000

COLUMNS = (
    "id",
    "channel",
    "address",
    "locale",
    "state",
    "receipt",
    "response",
    "reason",
    "attempts",
    "units",
    "due_at",
    "settled_at",
    "people",
    "recipients",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a file begins, goes on and ends; its end has the number of rows.

    A file without that end was cut off: the connection then breaks instead of ending well.
    """

    content_type: str
    ending: str
    head: str
    row: Callable[[DeliveryOut], str]
    tail: Callable[[int], str]


def _csv_row(one: DeliveryOut) -> str:
    return csv_line(
        [
            one.id,
            one.channel,
            one.address,
            one.locale,
            one.state,
            one.receipt,
            one.response,
            one.reason,
            one.attempts,
            one.units,
            one.due_at.isoformat() if one.due_at else None,
            one.settled_at.isoformat() if one.settled_at else None,
            "; ".join(told.name for told in one.people),
            ";".join(told.recipient or "" for told in one.people),
        ]
    )


def _csv_end(count: int) -> str:
    # As wide as every other record, so that no reader stumbles over it.
    return csv_line(["rows", count, *[None] * (len(COLUMNS) - 2)])


class _End(BaseModel):
    rows: int


CSV = Format(
    content_type="text/csv",
    ending="csv",
    head=csv_line(COLUMNS),
    row=_csv_row,
    tail=_csv_end,
)
NDJSON = Format(
    content_type="application/x-ndjson",
    ending="ndjson",
    head="",
    row=lambda one: one.model_dump_json() + "\n",
    tail=lambda count: _End(rows=count).model_dump_json() + "\n",
)


async def stream(call: Call, alert_id: str, which: Filter, style: Format) -> web.StreamResponse:
    """Answer with the whole set; memory holds one page of it."""
    answer = web.StreamResponse(
        headers={"Content-Disposition": f'attachment; filename="{alert_id}.{style.ending}"'}
    )
    answer.content_type, answer.charset = style.content_type, "utf-8"
    page = await _page(call, alert_id, which, after="")
    await answer.prepare(call.request)
    # Whoever hangs up has seen enough.
    with suppress(ConnectionError):
        await _write(answer, call, alert_id, which, style=style, page=page)
    return answer


async def _write(
    answer: web.StreamResponse,
    call: Call,
    alert_id: str,
    which: Filter,
    *,
    style: Format,
    page: Sequence[Shown],
) -> None:
    await answer.write(style.head.encode())
    count = 0
    while page:
        count += len(page)
        rows = "".join(style.row(delivery_out(call, one)) for one in page)
        await answer.write(rows.encode())
        page = await _page(call, alert_id, which, after=page[-1].id) if len(page) == PAGE else []
    await answer.write(style.tail(count).encode())
    await answer.write_eof()


async def _page(call: Call, alert_id: str, which: Filter, *, after: str) -> Sequence[Shown]:
    async with call.ledger.read() as db:
        return await deliveries.page(db, alert_id, which, after=after, limit=PAGE)
