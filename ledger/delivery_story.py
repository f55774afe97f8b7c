"""Everything that is known of one delivery: what we tried, what was said to us, what they said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.receipt import KIND_OF_RANK, ReceiptKind
from ledger.schema import attempts, inbound, provider_events, responses

#: More than any honest provider says about one message; the oldest are shown.
MOST_EVENTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt. Times in epoch microseconds; `word` and `code` are the provider's own."""

    no: int
    provider: str
    sender: str
    opened_at: int
    outcome: str | None
    outcome_at: int | None
    reason: str | None
    detail: str | None
    provider_id: str | None
    resolution: str | None
    resolution_by: str | None
    resolution_at: int | None
    receipt: ReceiptKind
    receipt_at: int | None
    word: str | None
    code: str | None
    conflict: bool  # it was said to have failed, and to have arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a provider said, raw; `verdict` is what became of it, None while it waits."""

    id: str
    at: int
    no: int | None
    kind: str
    verdict: str | None
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a person answered; `option` is empty for a bare acknowledgement."""

    id: str
    at: int
    option: str
    via: str
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """A message that a person sent to us, and what it meant."""

    id: str
    at: int
    meaning: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    tries: tuple[Try, ...]
    said: tuple[Said, ...]
    answered: tuple[Answered, ...]
    wrote: tuple[Wrote, ...]


async def story(db: AsyncConnection, delivery_id: str) -> Story:
    """Return it in four lists, each in the order of time."""
    return Story(
        tries=await _tries(db, delivery_id),
        said=await _said(db, delivery_id),
        answered=await _answered(db, delivery_id),
        wrote=await _wrote(db, delivery_id),
    )


async def _tries(db: AsyncConnection, delivery_id: str) -> tuple[Try, ...]:
    rows = await db.execute(
        select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.no)
    )
    return tuple(_try(row) for row in rows)


def _try(row: Any) -> Try:
    receipt = KIND_OF_RANK[row.receipt]
    return Try(
        no=row.no,
        provider=row.provider,
        sender=row.sender,
        opened_at=row.opened_at,
        outcome=row.outcome,
        outcome_at=row.outcome_at,
        reason=row.reason,
        detail=row.detail,
        provider_id=row.provider_id,
        resolution=row.resolution,
        resolution_by=row.resolution_by,
        resolution_at=row.resolution_at,
        receipt=receipt,
        receipt_at=row.receipt_at,
        word=row.receipt_word,
        code=row.receipt_code,
        conflict=row.failed_once
        and receipt in {ReceiptKind.ANSWERED, ReceiptKind.DELIVERED, ReceiptKind.READ},
    )


async def _said(db: AsyncConnection, delivery_id: str) -> tuple[Said, ...]:
    rows = await db.execute(
        select(provider_events)
        .where(provider_events.c.delivery_id == delivery_id)
        .order_by(provider_events.c.id)
        .limit(MOST_EVENTS)
    )
    return tuple(
        Said(
            id=row.id,
            at=row.came_at,
            no=row.no,
            kind=row.kind,
            verdict=row.verdict,
            payload=row.payload,
        )
        for row in rows
    )


async def _answered(db: AsyncConnection, delivery_id: str) -> tuple[Answered, ...]:
    rows = await db.execute(
        select(responses)
        .where(responses.c.delivery_id == delivery_id)
        .order_by(responses.c.id)
        .limit(MOST_EVENTS)
    )
    return tuple(
        Answered(id=row.id, at=row.came_at, option=row.option, via=row.via, first=row.first)
        for row in rows
    )


async def _wrote(db: AsyncConnection, delivery_id: str) -> tuple[Wrote, ...]:
    rows = await db.execute(
        select(inbound)
        .where(inbound.c.delivery_id == delivery_id)
        .order_by(inbound.c.id)
        .limit(MOST_EVENTS)
    )
    return tuple(
        Wrote(id=row.id, at=row.came_at, meaning=row.meaning, body=row.body) for row in rows
    )
