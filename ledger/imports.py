"""Files of people on their way in: staged whole, then applied in pages that anyone can finish.

staging → ready → done. A row is staged by the request that validates the file. Nothing of a file
that turns out bad is applied, and nothing of a good one is lost: whoever dies while applying leaves
`ready` behind, and housekeeping goes on where `applied` stands.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import GroupId, new_id
from kentongan.recipient import Draft, ImportRow
from ledger import groups, recipients
from ledger.dialect import insert_many, is_postgresql
from ledger.engine import Ledger, read_now
from ledger.schema_people import import_rows, imports

#: Rows applied in one transaction, so that small writes pass between pages (measured on SQLite, two
#: contact points and two groups each: 8 ms where all are new, 16 where all differ).
PAGE = 50
#: Rows dropped at once where a file turned out bad.
DISCARD = 2000
#: An import that has not moved for so long has nobody who works on it.
STALLED = seconds(30)
ABANDONED = seconds(600)


class ImportState(StrEnum):
    STAGING = "staging"
    READY = "ready"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What one page did."""

    created: int = 0
    matched: int = 0  # known by their external id; written only where something differs
    more: bool = False


class MovedMeanwhileError(Exception):
    """Somebody else moved this import: roll back; it is in good hands."""


async def start(db: AsyncConnection, *, made_by: str, now: int) -> str:
    """Open an import and return its id."""
    import_id = new_id("import")
    await db.execute(
        insert(imports).values(
            id=import_id, made_by=made_by, made_at=now, rows=0, state=ImportState.STAGING
        )
    )
    return import_id


async def stage(db: AsyncConnection, import_id: str, rows: Sequence[ImportRow], now: int) -> None:
    """Put the next rows of the file down. Raises `MovedMeanwhileError` if it was given up."""
    mine = (imports.c.id == import_id, imports.c.state == ImportState.STAGING)
    moved = await db.execute(
        update(imports)
        .where(*mine)
        .values(rows=imports.c.rows + len(rows), made_at=now)
        .returning(imports.c.rows)
    )
    total = moved.scalar_one_or_none()
    if total is None:
        raise MovedMeanwhileError
    first = total - len(rows) + 1
    await insert_many(
        db,
        import_rows,
        [
            {"import_id": import_id, "no": first + offset, "body": row.to_json()}
            for offset, row in enumerate(rows)
        ],
    )


async def make_ready(db: AsyncConnection, import_id: str, now: int) -> None:
    """Promise that the file will be applied, whatever dies. Raises `MovedMeanwhileError`."""
    moved = await db.execute(
        update(imports)
        .where(imports.c.id == import_id, imports.c.state == ImportState.STAGING)
        .values(state=ImportState.READY, made_at=now)
    )
    if not moved.rowcount:
        raise MovedMeanwhileError


async def discard(db: AsyncConnection, import_id: str) -> bool:
    """Drop a page of what was staged, in the end the import itself; return whether more is left."""
    some = (
        select(import_rows.c.no)
        .where(import_rows.c.import_id == import_id)
        .order_by(import_rows.c.no)
        .limit(DISCARD)
    )
    gone = await db.execute(
        delete(import_rows).where(
            import_rows.c.import_id == import_id, import_rows.c.no.in_(some.scalar_subquery())
        )
    )
    if gone.rowcount:
        return True
    await db.execute(
        delete(imports).where(imports.c.id == import_id, imports.c.state == ImportState.STAGING)
    )
    return False


async def apply_page(db: AsyncConnection, import_id: str, now: int) -> Applied:
    """Apply the next page of a ready import; people, staged rows and `applied` move together.

    Run twice, it applies the page after. People are matched by external id as they are at this
    moment; groups that are missing are made, since the file was accepted with them.
    """
    run = select(imports).where(imports.c.id == import_id, imports.c.state == ImportState.READY)
    if is_postgresql(db):
        run = run.with_for_update()  # a second one waits here, and then takes the next page
    found = (await db.execute(run)).one_or_none()
    if found is None:
        return Applied()
    rows = await _staged(db, import_id, found.applied)
    created, matched = await _write(db, rows, now)
    applied = found.applied + len(rows)
    more = applied < found.rows
    moved = await db.execute(
        update(imports)
        .where(imports.c.id == import_id, imports.c.applied == found.applied)
        .values(applied=applied, made_at=now, state=ImportState.READY if more else ImportState.DONE)
    )
    if not moved.rowcount:
        raise MovedMeanwhileError
    await db.execute(
        delete(import_rows).where(import_rows.c.import_id == import_id, import_rows.c.no <= applied)
    )
    return Applied(created=created, matched=matched, more=more)


async def _staged(db: AsyncConnection, import_id: str, after: int) -> list[ImportRow]:
    query = (
        select(import_rows.c.body)
        .where(import_rows.c.import_id == import_id, import_rows.c.no > after)
        .order_by(import_rows.c.no)
        .limit(PAGE)
    )
    return [ImportRow.from_json(body) for body in (await db.execute(query)).scalars()]


async def _write(db: AsyncConnection, rows: Sequence[ImportRow], now: int) -> tuple[int, int]:
    named = {row.external_id for row in rows if row.external_id}
    known = await recipients.by_external_id(db, named, lock=True) if named else {}
    group_ids = await _group_ids(db, rows, now)
    was = {key: Draft.of(one) for key, one in known.items()}
    matched = {
        key: row.onto(was[key], group_ids) for row in rows if (key := row.external_id) in was
    }
    new = [row.onto(Draft(name=row.name), group_ids) for row in rows if row.external_id not in was]
    await recipients.add(db, new, now)
    await recipients.save(db, [draft for key, draft in matched.items() if draft != was[key]], now)
    return len(new), len(matched)


async def _group_ids(
    db: AsyncConnection, rows: Sequence[ImportRow], now: int
) -> Mapping[str, GroupId]:
    wanted = {name for row in rows for name in row.groups or ()}
    if not wanted:
        return {}
    there = await groups.ids_of(db, wanted)
    missing = {name: name for name in wanted if name not in there}
    made = await groups.ensure(db, missing, now)
    if len(made) < len(missing):  # somebody else made one at the same moment
        return await groups.ids_of(db, wanted)
    return {**there, **made}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an import is."""

    state: ImportState
    rows: int
    applied: int


async def progress(db: AsyncConnection, import_id: str) -> Progress | None:
    """Return how far an import is; None for one that was never accepted."""
    row = (await db.execute(select(imports).where(imports.c.id == import_id))).one_or_none()
    if row is None:
        return None
    return Progress(state=ImportState(row.state), rows=row.rows, applied=row.applied)


async def apply(ledger: Ledger, import_id: str, *, patience: float = math.inf) -> bool:
    """Apply what is left of an import, page by page, for `patience` seconds; tell whether all."""
    until = time.monotonic() + patience
    more = True
    while more and time.monotonic() < until:
        async with ledger.bulk() as db:
            more = (await apply_page(db, import_id, await read_now(db))).more
    return not more


async def give_up(ledger: Ledger, import_id: str) -> None:
    """Drop all that was staged of a bad file."""
    more = True
    while more:
        async with ledger.bulk() as db:
            more = await discard(db, import_id)


async def finish(ledger: Ledger) -> int:
    """Finish what others left behind, for housekeeping; return how many imports that were."""
    async with ledger.read() as db:
        now = await read_now(db)
        ready = await _unmoved(db, ImportState.READY, now - STALLED)
        staging = await _unmoved(db, ImportState.STAGING, now - ABANDONED)
    for import_id in ready:
        await apply(ledger, import_id)
    for import_id in staging:
        await give_up(ledger, import_id)
    return len(ready) + len(staging)


async def _unmoved(db: AsyncConnection, state: ImportState, since: int) -> list[str]:
    query = select(imports.c.id).where(imports.c.state == state, imports.c.made_at < since)
    return list((await db.execute(query)).scalars())
