"""Instants: aware UTC datetimes for people and the API, epoch microseconds for the ledger."""

from datetime import UTC, datetime, timedelta
from typing import NewType

#: Microseconds since 1970-01-01T00:00:00Z, as the ledger keeps them (BIGINT on both engines).
Micros = NewType("Micros", int)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000


def to_micros(instant: datetime) -> Micros:
    """Exact for every aware datetime (floats would lose microseconds)."""
    return Micros((instant - _EPOCH) // _MICROSECOND)


def to_datetime(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def seconds(count: float) -> int:
    """Return a span in microseconds."""
    return int(count * SECOND)
