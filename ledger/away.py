"""The one way to say that the ledger is away, whatever the drivers call it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

#: SQLSTATE classes that mean "not now": connection, resources, intervention, rollback, lock.
_AWAY_CLASSES = ("08", "53", "57", "40", "55", "58")


class LedgerAwayError(Exception):
    """The database cannot be reached, or not in time; nothing of the transaction was done."""


@asynccontextmanager
async def away_is_said() -> AsyncIterator[None]:
    """Turn what drivers raise when a database is away into `LedgerAwayError`."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise LedgerAwayError(first_line(error)) from error
        raise


def is_away(error: Exception) -> bool:
    """Tell whether an error means "not now": asked again later, the same may be done."""
    if isinstance(error, DBAPIError):
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            return True
        state = getattr(error.orig, "sqlstate", "")
    else:
        state = getattr(error, "sqlstate", "")
    return isinstance(
        error,
        PoolTimeoutError
        | OSError
        | TimeoutError
        | asyncpg.InterfaceError
        | sqlite3.OperationalError,
    ) or str(state or "").startswith(_AWAY_CLASSES)


def first_line(error: BaseException) -> str:
    """Return what an error says, in one line that holds nobody's address."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".splitlines()[0][:200]
