"""Deliveries by the hundred thousand, written by the database, as an expansion would leave them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.books import Books
from bench.people import Crowd, first_free, id_of

#: Rows a statement. On SQLite each has the write lock, and leases have to be renewed meanwhile.
_PAGE = 20_000
#: Tables that the planner would know of by the time that an expansion had filled them.
_FILLED = ("alert_people", "deliveries", "delivery_people")


def in_an_hour() -> str:
    """Return the `send_at` of an alert that `queue_up` is to fill; no worker looks at it before."""
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


async def queue_up(books: Books, alert: str, crowd: Crowd) -> None:
    """Give a scheduled alert a delivery for each of a crowd, and have it sent from now on.

    It is as if its audience had been the crowd, and all of it had just been expanded.
    """
    first = await first_free(books)
    if books.is_postgresql:
        # No look at foreign keys, row by row: what is written here is whole.
        await books.do("SET session_replication_role = replica")
    for start in range(first, first + crowd.people, _PAGE):
        numbers = books.numbers(start, min(start + _PAGE, first + crowd.people) - 1)
        for statement in _writing(alert, crowd, numbers):
            await books.do(statement)
    if books.is_postgresql:
        await books.do("SET session_replication_role = origin")
        await books.do(f"ANALYZE {', '.join(_FILLED)}")
    for statement in _releasing(alert, crowd):
        await books.do(statement)


def _writing(alert: str, crowd: Crowd, numbers: str) -> Iterator[str]:
    """Yield statements; every value in them is made here, none comes from outside."""
    person, delivery = id_of("per_", "i"), id_of("dlv_", "i")
    yield (
        "INSERT INTO alert_people (id, alert_id, name, locale)"
        f" SELECT {person}, '{alert}', 'Person ' || CAST(i AS text), 'en' FROM {numbers}"
    )
    yield (
        "INSERT INTO deliveries (id, alert_id, channel, address, locale, name)"
        f" SELECT {delivery}, '{alert}', '{crowd.channel}', {crowd.address('i')}, 'en',"
        f" 'Person ' || CAST(i AS text) FROM {numbers}"
    )
    yield (
        "INSERT INTO delivery_people (delivery_id, person_id, alert_id)"
        f" SELECT {delivery}, {person}, '{alert}' FROM {numbers}"
    )


def _releasing(alert: str, crowd: Crowd) -> Iterator[str]:
    yield (
        "UPDATE alert_progress SET stage = 'done', expanded_at = a.accepted_at,"
        f" expand_at = a.accepted_at, people = {crowd.people}, deliveries = {crowd.people}"
        f" FROM alerts a WHERE a.id = alert_id AND alert_id = '{alert}'"
    )
    yield f"UPDATE alerts SET send_at = NULL WHERE id = '{alert}'"
