"""The bare bulk insert: the rows of an expanded alert once more, straight through the driver.

`python -m bench.bare.bulk DATABASE_URL ALERT_ID` reads the rows that an alert has, gives them fresh
ids, and then, on the clock, inserts them into the same tables: COPY on PostgreSQL, `executemany` on
SQLite with the ledger's own settings for bulk work. Prints seconds of wall and of CPU as JSON.
"""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from kentongan.ids import new_alert_id, new_delivery_id, new_person_id
from ledger.schema import alert_people, alerts, deliveries, delivery_people

#: People a transaction.
CHUNK = 10_000

_COLUMNS = {
    alert_people.name: ("id", "alert_id", "recipient_id", "name", "locale", "cause"),
    deliveries.name: (
        *("id", "alert_id", "channel", "address", "locale", "name", "units", "work", "reason"),
    ),
    delivery_people.name: ("delivery_id", "person_id", "alert_id"),
}
_FOUND = (
    "SELECT p.recipient_id, p.name, p.locale, p.cause, d.channel, d.address, d.units"
    " FROM alert_people p JOIN delivery_people l ON l.person_id = p.id"
    " JOIN deliveries d ON d.id = l.delivery_id WHERE p.alert_id = {}"
)
_PRAGMAS = (
    *("busy_timeout=5000", "foreign_keys=ON", "synchronous=NORMAL"),
    *("temp_store=MEMORY", "cache_size=-16000"),
)

#: One transaction's rows, by table.
Page = dict[str, Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Seconds on the clock, and seconds of this process's CPU."""

    wall: float
    cpu: float


class Stopwatch:
    """Both clocks at once."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> Took:
        return Took(wall=time.monotonic() - self._wall, cpu=time.process_time() - self._cpu)


def pages(alert_id: str, found: Sequence[Sequence[Any]]) -> Iterator[Page]:
    """Yield the rows of `found` again, as those of `alert_id`."""
    for start in range(0, len(found), CHUNK):
        people: list[tuple[Any, ...]] = []
        made: list[tuple[Any, ...]] = []
        links: list[tuple[Any, ...]] = []
        for recipient, name, locale, cause, channel, address, units in found[start : start + CHUNK]:
            person, delivery = new_person_id(), new_delivery_id()
            people.append((person, alert_id, recipient, name, locale, cause))
            made.append(
                (delivery, alert_id, channel, address, locale, name, units, "pending", None)
            )
            links.append((delivery, person, alert_id))
        yield {alert_people.name: people, deliveries.name: made, delivery_people.name: links}


async def on_postgresql(url: str, alert_id: str) -> Took:
    """Insert by COPY."""
    connection = await asyncpg.connect(url)
    copied = new_alert_id()
    found = await connection.fetch(_FOUND.format("$1"), alert_id)
    await connection.execute(_alert_again(copied, alert_id))
    ready = list(pages(copied, found))
    watch = Stopwatch()
    for page in ready:
        async with connection.transaction():
            for table, rows in page.items():
                await connection.copy_records_to_table(table, records=rows, columns=_COLUMNS[table])
    took = watch.read()
    await connection.close()
    return took


def on_sqlite(url: str, alert_id: str) -> Took:
    """Insert by `executemany`."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    copied = new_alert_id()
    found = connection.execute(_FOUND.format("?"), (alert_id,)).fetchall()
    connection.execute(_alert_again(copied, alert_id))
    ready = list(pages(copied, found))
    watch = Stopwatch()
    for page in ready:
        connection.execute("BEGIN IMMEDIATE")
        for table, rows in page.items():
            connection.executemany(_insert(table), rows)
        connection.execute("COMMIT")
    took = watch.read()
    connection.close()
    return took


def _insert(table: str) -> str:
    columns = _COLUMNS[table]
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our schema's own names


def _alert_again(new: str, old: str) -> str:
    """Return SQL that copies an alert, which the rows refer to; both ids are ours."""
    listed = ", ".join(f'"{column.name}"' for column in alerts.c if column.name != "id")
    return (
        f"INSERT INTO alerts (id, {listed})"  # noqa: S608 - our schema's own names
        f" SELECT '{new}', {listed} FROM alerts WHERE id = '{old}'"
    )


def _inserted(url: str, alert_id: str) -> Took:
    if url.startswith("sqlite"):
        return on_sqlite(url, alert_id)
    return asyncio.run(on_postgresql(url, alert_id))


if __name__ == "__main__":
    took = _inserted(*sys.argv[1:])
    print(json.dumps({"wall": took.wall, "cpu": took.cpu}))
