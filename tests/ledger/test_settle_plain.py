"""Outcomes that are written without a look at their rows end as those that are looked at."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Control
from kentongan.delivery import Work
from kentongan.ids import AlertId, AttemptRef, new_delivery_id
from kentongan.outcome import Reason
from kentongan.receipt import RANK, Receipt, ReceiptKind
from ledger import events
from ledger.dialect import insert_many, is_postgresql
from ledger.engine import Ledger
from ledger.receipts import EventReceipt, join
from ledger.schema import attempts, deliveries, provider_events
from ledger.settle import Settled, settle, settle_each
from ledger.settle_plain import settle_plain
from ledger.unknowns import declare_unknown
from tests.fakes import asked

Settle = Callable[[AsyncConnection, Sequence[Settled]], Awaitable[int]]
Row = dict[str, Any]

ACCEPTED, SENT, FAILED, DELIVERED = (
    RANK[kind]
    for kind in (ReceiptKind.ACCEPTED, ReceiptKind.SENT, ReceiptKind.FAILED, ReceiptKind.DELIVERED)
)
PLAIN: Row = {"outcome": "accepted", "work": Work.SETTLED, "receipt": ACCEPTED, "charged": True}

#: What workers say: the first five are plain.
SAID: Sequence[Row] = (
    PLAIN | {"provider_id": "SM1", "ask_in": 120.0},
    PLAIN | {"provider_id": "SM1", "tries": 2},
    PLAIN | {"receipt": SENT},
    PLAIN | {"receipt": DELIVERED, "provider_id": ""},
    PLAIN | {"receipt": FAILED, "charged": False},
    PLAIN | {"detail": "queued"},
    {
        "outcome": "deferred",
        "work": Work.RETRY_WAIT,
        "reason": Reason.UNREACHABLE,
        "due_in": 30.0,
        "charged": True,
    },
    {"outcome": "refused", "work": Work.FAILED, "reason": Reason.NO_ROUTE, "charged": True},
    {"outcome": "unknown", "work": Work.UNKNOWN, "reason": Reason.NO_REPLY, "ask_in": 2.0},
    {"outcome": "not_begun", "work": Work.PENDING},
)


class Stands(NamedTuple):
    """How a delivery stands as an outcome of its attempt `no` comes."""

    delivery: Row
    tries: Sequence[Row]
    no: int = 1


OURS: dict[str, Stands] = {
    "open": Stands({}, [{}]),
    "an early receipt": Stands({"receipt": ACCEPTED}, [{"receipt": ACCEPTED}]),
    "an early receipt, with its id": Stands(
        {"receipt": SENT}, [{"receipt": SENT, "provider_id": "SM0"}]
    ),
    "reached already": Stands(
        {"receipt": DELIVERED}, [{"receipt": DELIVERED, "provider_id": "SM1"}]
    ),
    "failed already": Stands({"receipt": FAILED, "reason": "no_route"}, [{"receipt": FAILED}]),
    "reached by an earlier one": Stands(
        {"receipt": DELIVERED}, [{"outcome": "unknown", "receipt": DELIVERED}, {}], no=2
    ),
    "reached by an earlier one, an early receipt": Stands(
        {"receipt": DELIVERED},
        [{"outcome": "unknown", "receipt": DELIVERED}, {"receipt": SENT}],
        no=2,
    ),
    "failed by an earlier one": Stands(
        {"receipt": FAILED, "tries": 1}, [{"outcome": "accepted", "receipt": FAILED}, {}], no=2
    ),
    "answered": Stands({"response": "1"}, [{}]),
    "its worker died": Stands({"deaths": 1}, [{"outcome": "unknown"}, {}], no=2),
    "not the latest": Stands({}, [{}, {}]),
    "no longer attempting": Stands({"work": Work.STOPPED, "reason": "stopped"}, [{}]),
}
LATE: dict[str, Stands] = {
    "refused": Stands({"work": Work.FAILED, "reason": "no_route"}, [{"outcome": "refused"}]),
    "accepted": Stands(
        {"work": Work.SETTLED}, [{"outcome": "accepted", "provider_id": "SM7", "receipt": ACCEPTED}]
    ),
    "unknown": Stands({"work": Work.UNKNOWN}, [{"outcome": "unknown", "ask_at": 1}]),
    "unknown, and tried again": Stands({}, [{"outcome": "unknown"}, {}]),
    "never opened": Stands({}, [{}], no=9),
}


class Story:
    """Deliveries of two alerts, one of them stopped: every way to stand, with every outcome."""

    def __init__(self, stands: Mapping[str, Stands], alerts: Sequence[AlertId]) -> None:
        self.settled: list[Settled] = []
        self.deliveries: list[Row] = []
        self.attempts: list[Row] = []
        for alert in alerts:
            for stand in stands.values():
                for said in SAID:
                    self._add(alert, stand, said)

    def _add(self, alert: AlertId, stand: Stands, said: Row) -> None:
        made = new_delivery_id()
        number = str(len(self.settled))  # what both stories know it by
        own: Row = {"alert_id": alert, "channel": "sms"}
        dull: Row = {"id": made, **own, "address": number, "locale": "id", "work": Work.ATTEMPTING}
        dull |= {"attempts": len(stand.tries), "tries": 0, "deaths": 0, "receipt": 0}
        self.deliveries.append({**dull, "reason": None, "response": None, **stand.delivery})
        for no, columns in enumerate(stand.tries, start=1):
            row = {"delivery_id": made, "no": no, **own, "sender": "s", "worker": "w"}
            row |= {"opened_at": 1, "outcome": None, "receipt": 0, "provider_id": None}
            self.attempts.append({**row, "ask_at": None, **columns})
        self.settled.append(Settled(attempt=AttemptRef(made, stand.no), **own, **said))

    async def write(self, db: AsyncConnection) -> None:
        await insert_many(db, deliveries, self.deliveries)
        await insert_many(db, attempts, self.attempts)


async def told(ledger: Ledger, pages: Sequence[Sequence[int]], how: Settle, *, of: str) -> Any:
    """Settle a story page by page; return how many were late, and all rows without what differs."""
    alerts = [await asked.alert(ledger), await asked.alert(ledger, control=Control.STOPPED)]
    story = Story(OURS | LATE if of == "all" else OURS, alerts)
    async with ledger.bulk() as db:
        await story.write(db)
    late = 0
    for page in pages:
        async with ledger.bulk() as db:
            late += await how(db, [story.settled[at] for at in page])
    return late, await _rows(ledger, alerts)


async def _rows(ledger: Ledger, alerts: Sequence[AlertId]) -> list[Any]:
    """Return what stands in the tables of these alerts: instants counted from the outcome's."""
    number: dict[str, tuple[int, int]] = {}
    found: list[Any] = []
    at: dict[tuple[Any, int], int] = {}
    async with ledger.read() as db:
        these = select(deliveries).where(deliveries.c.alert_id.in_(alerts))
        moved = [dict(row) for row in (await db.execute(these)).mappings()]
        those = select(attempts).where(attempts.c.alert_id.in_(alerts))
        opened = [dict(row) for row in (await db.execute(those)).mappings()]
        kept = [dict(row) for row in (await db.execute(select(provider_events))).mappings()]
    for row in moved:
        number[row["id"]] = alerts.index(row["alert_id"]), int(row["address"])
    for row in opened:
        row["delivery_id"], now = number[row["delivery_id"]], row.pop("outcome_at")
        at[row["delivery_id"], row["no"]] = now or 0
        _since(row, now or 0, "ask_at", "resolution_at")
        found.append(sorted((row | {"alert_id": now is None}).items()))
    for row in moved:
        row["id"] = number[row["id"]]
        now = at[row["id"], row["attempts"]]
        _since(row, now, "due_at", "settled_at")
        found.append(sorted((row | {"alert_id": ""}).items()))
    found += [
        (number[row["delivery_id"]], row["no"], row["verdict"], row["payload"])
        for row in kept
        if row["delivery_id"] in number
    ]
    return sorted(found, key=repr)


def _since(row: Row, now: int, *names: str) -> None:
    for name in names:
        row[name] = None if row[name] is None else row[name] - now


def _paged(count: int, most: int, seed: int) -> list[list[int]]:
    """Return all of `count` numbers once, shuffled, in pages of at most `most`."""
    dice = random.Random(seed)
    left = dice.sample(range(count), count)
    pages = []
    while left:
        size = dice.randint(1, most)
        pages.append(left[:size])
        del left[:size]
    return pages


@pytest.mark.parametrize(("most", "seed"), [(1, 1), (4, 2), (60, 3), (1000, 4)])
@pytest.mark.parametrize("of", ["ours", "all"])
async def test_what_is_written_unseen_stands_as_what_is_looked_at(
    ledger: Ledger, of: str, most: int, seed: int
) -> None:
    count = 2 * len(SAID) * len(OURS | LATE if of == "all" else OURS)
    pages = _paged(count, most, seed) if most < 1000 else [list(range(count))]

    unseen = await told(ledger, pages, settle, of=of)
    seen = await told(ledger, pages, settle_each, of=of)

    assert unseen == seen
    assert unseen[0] == (2 * len(SAID) * len(LATE) if of == "all" else 0)


async def _opened(ledger: Ledger, *tries: Row) -> tuple[AlertId, AttemptRef]:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[*tries, {}])
    return alert, AttemptRef(one, len(tries) + 1)


def _accepted(alert: AlertId, attempt: AttemptRef, **changes: Any) -> Settled:
    return Settled(attempt=attempt, alert_id=alert, channel="sms", **PLAIN | changes)


async def test_plain_outcomes_are_all_written_though_others_come_with_them(ledger: Ledger) -> None:
    alert, attempt = await _opened(ledger)
    other = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, address="+1", tries=[{}])
    refused = Settled(attempt=AttemptRef(other, 1), alert_id=alert, channel="sms", **SAID[7])

    async with ledger.bulk() as db:
        left = await settle_plain(db, [refused, _accepted(alert, attempt)])

    assert list(left) == [refused]
    assert (await asked.attempt_row(ledger, attempt)).outcome == "accepted"
    assert (await asked.row_of(ledger, attempt.delivery_id)).work == Work.SETTLED
    assert (await asked.attempt_row(ledger, refused.attempt)).outcome is None


async def test_what_comes_too_late_is_left_and_nothing_of_it_is_written(ledger: Ledger) -> None:
    alert, attempt = await _opened(ledger, {"outcome": "unknown", "ask_at": 1})
    late = _accepted(alert, AttemptRef(attempt.delivery_id, 1), provider_id="SM1")

    async with ledger.bulk() as db:
        left = await settle_plain(db, [late])

    row = await asked.attempt_row(ledger, late.attempt)
    assert list(left) == [late]
    assert (row.outcome, row.provider_id, row.ask_at) == ("unknown", None, 1)
    assert (await asked.row_of(ledger, attempt.delivery_id)).work == Work.ATTEMPTING


async def _beside(ledger: Ledger, first: Callable[[AsyncConnection], Any], *rows: Settled) -> int:
    """Settle while `first` has been done and is not committed yet; return how many were late."""

    async def settling() -> int:
        async with ledger.bulk() as db:
            return await settle(db, rows)

    async with ledger.write() as db:
        if not is_postgresql(db):
            pytest.skip("SQLite has one writer at a time")
        await first(db)
        waiting = asyncio.create_task(settling())
        async with asyncio.timeout(10), ledger.read() as looking:
            query = "SELECT 1 FROM pg_locks WHERE NOT granted"
            while not (await looking.exec_driver_sql(query)).first():
                await asyncio.sleep(0.01)
    return await waiting


async def test_outcome_that_turned_late_while_it_waited_is_kept_as_late(ledger: Ledger) -> None:
    alert, attempt = await _opened(ledger)

    async def declared(db: AsyncConnection) -> None:
        assert await declare_unknown(db, 10) == 1  # its worker never was

    late = await _beside(ledger, declared, _accepted(alert, attempt, provider_id="SM1"))

    row = await asked.attempt_row(ledger, attempt)
    [event] = await asked.kept(ledger)
    assert (late, row.outcome, row.provider_id) == (1, "unknown", None)
    assert (event.kind, event.payload["provider_id"]) == ("late_outcome", "SM1")
    assert (await asked.row_of(ledger, attempt.delivery_id)).work == Work.UNKNOWN


async def test_receipt_that_came_while_an_outcome_waited_is_kept(ledger: Ledger) -> None:
    alert, attempt = await _opened(ledger)

    async def joined(db: AsyncConnection) -> None:
        event = await events.keep(db, channel="sms", kind="status", payload={})
        receipt = Receipt(kind=ReceiptKind.DELIVERED, attempt=attempt, provider_id="SM1")
        await join(db, [EventReceipt(event=event, channel="sms", receipt=receipt)], {})

    late = await _beside(ledger, joined, _accepted(alert, attempt))

    row = await asked.attempt_row(ledger, attempt)
    assert (late, row.outcome, row.receipt, row.provider_id) == (0, "accepted", DELIVERED, "SM1")
    assert (await asked.row_of(ledger, attempt.delivery_id)).receipt == DELIVERED
