"""Who did what: rows written with the deed, then linked so that none can be changed unseen.

Each link's MAC covers the one before and its row, under a key that the database does not hold.
Whoever changes, drops or reorders linked rows is found; rows cut off at the end are found by
comparing with the head that the leader logs each minute.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, false, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.ids import new_id, new_ids
from kentongan.keyring import Keyring
from ledger.dialect import db_now, insert_many
from ledger.engine import Ledger
from ledger.looks import look
from ledger.schema_people import audit, audit_chain

PURPOSE = "audit"
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that somebody did. `detail` holds no address, text or secret."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The last link; `seq` 0 before the first."""

    seq: int
    mac: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: how many links hold, and the first that does not."""

    links: int
    broken_at: int | None
    unlinked: int
    head: Head

    @property
    def is_sound(self) -> bool:
        return self.broken_at is None


#: Made once: making a statement costs several times what running it does.
_ADD = insert(audit).values(at=db_now())


async def add(
    db: AsyncConnection,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Note a deed in the transaction that does it. `detail` holds no address, text or secret."""
    deed = Deed(actor=actor, action=action, subject=subject, detail=detail or {})
    await db.execute(_ADD, _row(deed, new_id("audit")))


async def add_many(db: AsyncConnection, deeds: Sequence[Deed], now: int) -> None:
    """Note deeds in the one transaction that does them, at the ledger's `now`."""
    ids = new_ids("audit", len(deeds))
    rows = [_row(deed, one) | {"at": now} for one, deed in zip(ids, deeds, strict=True)]
    await insert_many(db, audit, rows)


def _row(deed: Deed, audit_id: str) -> dict[str, Any]:
    return {
        "id": audit_id,
        "actor": deed.actor,
        "action": deed.action,
        "subject": deed.subject,
        "detail": dict(deed.detail),
    }


async def chain(db: AsyncConnection, keyring: Keyring, *, limit: int = PAGE) -> int:
    """Link up to `limit` rows that have no link yet; return how many.

    Raises IntegrityError where another leader linked at the same time: nothing was done then.
    """
    last = await head(db)
    seq, mac = last.seq, last.mac
    rows = await db.execute(
        select(audit).where(audit.c.linked.is_(False)).order_by(audit.c.id).limit(limit)
    )
    links: list[dict[str, Any]] = []
    for row in rows:
        seq, mac = seq + 1, keyring.mac(PURPOSE, _said(mac, row))
        links.append({"seq": seq, "audit_id": row.id, "mac": mac})
    await insert_many(db, audit_chain, links)
    if links:
        ids = [link["audit_id"] for link in links]
        await db.execute(update(audit).where(audit.c.id.in_(ids)).values(linked=True))
    return len(links)


async def any_unlinked(db: AsyncConnection) -> bool:
    """Tell whether rows wait for their link; it takes no lock."""
    return bool(await look(db, _ANY_UNLINKED))


_ANY_UNLINKED = select(audit.c.id).where(audit.c.linked.is_(False)).limit(1)


async def chain_all(ledger: Ledger, keyring: Keyring) -> Head:
    """Link all rows there are, page by page; give way where another leader does it."""
    try:
        while True:
            async with ledger.write() as db:
                if await chain(db, keyring) < PAGE:
                    return await head(db)
    except IntegrityError:
        async with ledger.read() as db:
            return await head(db)


async def head(db: AsyncConnection) -> Head:
    """Return the last link."""
    last = select(audit_chain.c.seq, audit_chain.c.mac).order_by(audit_chain.c.seq.desc()).limit(1)
    row = (await db.execute(last)).first()
    return Head(row.seq, row.mac) if row else Head(0, "")


async def verify(ledger: Ledger, keyring: Keyring) -> Verdict:
    """Go through the whole chain in short reads, from the first link on."""
    last = Head(0, "")
    while True:
        async with ledger.read() as db:
            rows = (await db.execute(_links_after(last.seq))).all()
            if not rows:
                return await _verdict(db, last, None)
            for row in rows:
                if row.seq != last.seq + 1 or not _holds(keyring, last.mac, row):
                    return await _verdict(db, last, last.seq + 1)
                last = Head(row.seq, row.mac)


async def link_at(db: AsyncConnection, seq: int) -> Head | None:
    """Return a link, to be compared with what was noted of it elsewhere."""
    if seq == 0:
        return Head(0, "")
    found = select(audit_chain.c.seq, audit_chain.c.mac).where(audit_chain.c.seq == seq)
    row = (await db.execute(found)).first()
    return Head(row.seq, row.mac) if row else None


def _links_after(seq: int) -> Any:
    # A link whose row is gone comes all the same: at the end, nothing else would tell of it.
    return (
        select(audit, audit_chain.c.seq, audit_chain.c.mac)
        .select_from(audit_chain.outerjoin(audit, audit.c.id == audit_chain.c.audit_id))
        .where(audit_chain.c.seq > seq)
        .order_by(audit_chain.c.seq)
        .limit(PAGE)
    )


def _holds(keyring: Keyring, before: str, row: Row[Any]) -> bool:
    return row.id is not None and keyring.is_genuine(PURPOSE, _said(before, row), row.mac)


async def _verdict(db: AsyncConnection, last: Head, broken_at: int | None) -> Verdict:
    waiting = select(func.count()).select_from(audit).where(audit.c.linked == false())
    unlinked = (await db.execute(waiting)).scalar_one()
    return Verdict(links=last.seq, broken_at=broken_at, unlinked=unlinked, head=last)


def _said(before: str, row: Row[Any]) -> str:
    """Return what a link's MAC covers, the same on both engines."""
    told = [before, row.id, row.at, row.actor, row.action, row.subject, row.detail]
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
