"""One answer for every repeat of a request: kept with its effect, in the same transaction."""

from dataclasses import dataclass

from sqlalchemy import delete, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from ledger.dialect import db_now, is_postgresql
from ledger.schema_people import idempotency

#: How long a repeat is known.
LIFE = seconds(24 * 3600)
#: How long a twin waits for the first. Below SERVICE_PATIENCE, after which the driver gives up and
#: nobody could tell a busy twin from a database that is away.
TWIN_PATIENCE_MS = 1300

_LOCK_NOT_AVAILABLE = "55P03"


class TwinBusyError(Exception):
    """A request with this key is being served right now, and takes its time."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was answered to the first request with a key."""

    fingerprint: str
    status: int
    answer: str


async def claim(db: AsyncConnection, *, caller: str, key: str, fingerprint: str) -> Known | None:
    """Take `key` for this transaction: None if it is ours now, else what was answered before.

    Waits for a twin in flight; raises `TwinBusyError` if that takes too long.
    """
    mine = {"fingerprint": fingerprint, "status": 0, "answer": "", "expires_at": db_now() + LIFE}
    insert = postgresql.insert if is_postgresql(db) else sqlite.insert
    taking = (
        insert(idempotency)
        .values(caller=caller, key=key, **mine)
        .on_conflict_do_update(
            index_elements=["caller", "key"], set_=mine, where=idempotency.c.expires_at <= db_now()
        )
        .returning(idempotency.c.key)
    )
    if is_postgresql(db):
        await db.execute(
            text("SELECT set_config('lock_timeout', :wait, true)"),
            {"wait": f"{TWIN_PATIENCE_MS}ms"},
        )
    try:
        taken = (await db.execute(taking)).first()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise TwinBusyError from error
        raise
    return None if taken else await _known(db, caller, key)


async def _known(db: AsyncConnection, caller: str, key: str) -> Known:
    row = (
        await db.execute(
            select(idempotency).where(idempotency.c.caller == caller, idempotency.c.key == key)
        )
    ).one()
    return Known(row.fingerprint, row.status, row.answer)


async def store(db: AsyncConnection, *, caller: str, key: str, status: int, answer: str) -> None:
    """Keep the answer to a claimed key; it is there if and only if the effect is."""
    await db.execute(
        update(idempotency)
        .where(idempotency.c.caller == caller, idempotency.c.key == key)
        .values(status=status, answer=answer)
    )


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
