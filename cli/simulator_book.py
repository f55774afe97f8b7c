"""Reads the simulator's book over HTTP, as entries that a ledger can be held against."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from cli.errors import CommandError, Exit
from kentongan.clock import Micros, seconds
from kentongan.ids import AttemptRef, DeliveryId
from ledger.check_book import PAGE, Entry

CHANNELS = ("sms", "voice", "email", "webhook")

_DELIVERY = re.compile(r"dlv_[0-9a-v]{26}")
_FAILED = frozenset(
    {
        "failed",
        "undelivered",
        "canceled",
        "busy",
        "no-answer",
        "bounced_hard",
        "bounced_soft",
    }
)


async def entries(url: str) -> AsyncIterator[Sequence[Entry]]:
    """Yield the whole book in pages, oldest first; raise `CommandError` if nobody answers."""
    page: list[Entry] = []
    # None in all: a long book takes long; but it never pauses for so long.
    patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
    try:
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.get(f"{url.rstrip('/')}/book") as answer,
        ):
            answer.raise_for_status()
            async for line in answer.content:
                entry = entry_of(json.loads(line))
                if entry is not None:
                    page.append(entry)
                if len(page) == PAGE:
                    yield page
                    page = []
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        sentence = f"The simulator's book at {url} cannot be read ({type(error).__name__})."
        raise CommandError(sentence, Exit.UNREACHABLE) from None
    yield page


def entry_of(line: Mapping[str, Any]) -> Entry | None:
    """Return what a line of the book says; None for a message of a person to us."""
    if line["kind"] not in CHANNELS:
        return None
    delivery, no = _whose(line)
    failed = [at for status, at, _ in line["history"] if status in _FAILED]
    return Entry(
        channel=line["kind"],
        provider_id=line["id"],
        delivery=delivery,
        no=no,
        at=Micros(seconds(line["at"])),
        failed_at=Micros(seconds(failed[0])) if failed else None,
        taken=not any(status == "refused" for status, _, _ in line["history"]),
    )


def _whose(line: Mapping[str, Any]) -> tuple[str, int | None]:
    """Return the delivery and the attempt that a record names, as each carrier is told them."""
    params = line["params"]
    query = parse_qs(urlsplit(params.get("StatusCallback", "")).query)
    named = AttemptRef.parse(query.get("d", [""])[0]) or AttemptRef.parse(params.get("envid") or "")
    if named is not None:
        return named.delivery_id, named.no
    made = _DELIVERY.search(line["id"])
    return (DeliveryId(made[0]) if made else ""), None
