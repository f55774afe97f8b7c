"""One answer for every repeat of a request: kept with its effect, in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from ledger.dialect import db_now, insert_or_skip, is_postgresql
from ledger.schema_people import idempotency

#: How long a repeat is known.
LIFE = seconds(24 * 3600)
#: How long a twin waits for the first. Below SERVICE_PATIENCE, after which the driver gives up and
#: nobody could tell a busy twin from a database that is away.
TWIN_PATIENCE_MS = 1300
#: How long many keys wait together for one that somebody else is taking.
GROUP_PATIENCE_MS = 50

_LOCK_NOT_AVAILABLE = "55P03"


class TwinBusyError(Exception):
    """A request with this key is being served right now, and takes its time."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was answered to the first request with a key."""

    fingerprint: str
    status: int
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A key taken together with its answer, where that is known before the effect."""

    caller: str
    key: str
    fingerprint: str
    status: int
    answer: str


# Statements are made once: making one costs several times what running it does.
def _taking(insert: Any) -> Any:
    new = insert(idempotency).values(expires_at=db_now() + LIFE)
    mine = {name: new.excluded[name] for name in ("fingerprint", "status", "answer", "expires_at")}
    return new.on_conflict_do_update(
        index_elements=["caller", "key"], set_=mine, where=idempotency.c.expires_at <= db_now()
    ).returning(idempotency.c.key)


_TAKE = {"postgresql": _taking(postgresql.insert), "sqlite": _taking(sqlite.insert)}
_THIS = (idempotency.c.caller == bindparam("of")) & (idempotency.c.key == bindparam("called"))
_KNOWN = select(idempotency).where(_THIS)
_STORE = update(idempotency).where(_THIS)
_WAIT_AT_MOST = text("SELECT set_config('lock_timeout', :wait, true)")


async def claim(db: AsyncConnection, *, caller: str, key: str, fingerprint: str) -> Known | None:
    """Take `key` for this transaction: None if it is ours now, else what was answered before.

    Waits for a twin in flight; raises `TwinBusyError` if that takes too long.
    """
    await _wait_at_most(db, TWIN_PATIENCE_MS)
    mine = {"caller": caller, "key": key, "fingerprint": fingerprint, "status": 0, "answer": ""}
    taken = (await _or_busy(db, _TAKE[db.dialect.name], mine)).first()
    return None if taken else await _known(db, caller, key)


async def claim_many(
    db: AsyncConnection, claims: Sequence[Claim], now: int
) -> set[tuple[str, str]]:
    """Take keys with their answers; return (caller, key) of those that nobody has or had.

    Waits hardly at all for one in flight elsewhere, and then raises `TwinBusyError`: whoever takes
    many keys at once must not stand in the way of another who does.
    """
    if not claims:
        return set()
    await _wait_at_most(db, GROUP_PATIENCE_MS)
    rows = [
        {
            "caller": one.caller,
            "key": one.key,
            "fingerprint": one.fingerprint,
            "status": one.status,
            "answer": one.answer,
            "expires_at": now + LIFE,
        }
        # In one order everywhere, so that two groups wait for one another and never in a circle.
        for one in sorted(claims, key=lambda one: (one.caller, one.key))
    ]
    taking = insert_or_skip(db, idempotency).returning(idempotency.c.caller, idempotency.c.key)
    return {(row.caller, row.key) for row in await _or_busy(db, taking, rows)}


async def _wait_at_most(db: AsyncConnection, millis: int) -> None:
    if is_postgresql(db):
        await db.execute(_WAIT_AT_MOST, {"wait": f"{millis}ms"})


async def _or_busy(db: AsyncConnection, taking: Any, given: Any) -> Any:
    try:
        return await db.execute(taking, given)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise TwinBusyError from error
        raise


async def _known(db: AsyncConnection, caller: str, key: str) -> Known:
    row = (await db.execute(_KNOWN, {"of": caller, "called": key})).one()
    return Known(row.fingerprint, row.status, row.answer)


async def store(db: AsyncConnection, *, caller: str, key: str, status: int, answer: str) -> None:
    """Keep the answer to a claimed key; it is there if and only if the effect is."""
    given = {"of": caller, "called": key, "status": status, "answer": answer}
    await db.execute(_STORE, given)


async def forget(db: AsyncConnection, *, limit: int = 1000) -> int:
    """Delete a page of answers whose time is over; return how many."""
    old = (
        select(idempotency.c.caller, idempotency.c.key)
        .where(idempotency.c.expires_at <= db_now())
        .limit(limit)
    )
    done = await db.execute(
        delete(idempotency).where(tuple_(idempotency.c.caller, idempotency.c.key).in_(old))
    )
    return done.rowcount
