"""Pages of messages or calls, newest first, as the provider lists them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from simulator.book import Book, Kind, Record
from simulator.faults import Fault

#: How many a page holds unless told otherwise, and at most.
PAGE, MOST = 50, 1000

#: Filters by day are published too, but nobody can settle anything by them: they are refused here
#: rather than passed over, which would answer too much.
_KNOWN = {"To", "From", "Status", "PageSize", "Page", "PageToken"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is listed, under which name, and how one looks."""

    kind: Kind
    name: str
    shape: Callable[[str, Record], dict[str, Any]]


def listed(
    book: Book, listing: Listing, sid: str, path: str, query: Mapping[str, str]
) -> dict[str, Any] | Fault:
    """Return one page. Its token names the last record shown, so that new ones do not shift it."""
    if strange := query.keys() - _KNOWN:
        return Fault(20001, f"{', '.join(sorted(strange))}: not simulated")
    size, page = _whole(query.get("PageSize"), PAGE), _whole(query.get("Page"), 0)
    if size is None or not 1 <= size <= MOST or page is None:
        return Fault(20422, f"PageSize must be from 1 to {MOST}, Page from 0")
    below = _whole(query.get("PageToken", "").removeprefix("PA"), 0) or None
    if page and below is None:
        return Fault(20422, "pages are reached by next_page_uri")
    found = (
        record
        for record in book.newest(listing.kind, query.get("To"), below)
        if query.get("From", record.sender) == record.sender
        and query.get("Status", record.status) == record.status
    )
    # One more than the page tells whether there is a next one.
    records = list(islice(found, size + 1))
    shown = records[:size]

    def uri(number: int, token: str = "") -> str:
        kept = {name: query[name] for name in ("To", "From", "Status") if name in query}
        paging = {"PageSize": size, "Page": number} | ({"PageToken": token} if token else {})
        return f"{path}?{urlencode(kept | paging)}"

    return {
        "end": page * size + max(len(shown) - 1, 0),
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1, f"PA{shown[-1].seq}") if len(records) > size else None,
        "page": page,
        "page_size": size,
        "previous_page_uri": None,
        "start": page * size,
        "uri": uri(page, query.get("PageToken", "")),
        listing.name: [listing.shape(sid, record) for record in shown],
    }


def _whole(text: str | None, default: int) -> int | None:
    if not text:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
