"""A look at the gate that follows another waits a moment for company, where few wait already."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from typing_extensions import override

from kentongan.ids import AlertId
from ledger.driver import driver_of
from ledger.engine import Db, Ledger
from tests.fakes import asked
from tests.fakes.ledgers import Ledgers
from workers.gate import Gatekeeper, Pass
from workers.lease import Lease


class CountedLedger(Ledger):
    """Counts what PostgreSQL was asked at the gate, and says when the first look begins."""

    def watch(self) -> None:
        self.looks = 0
        self.has_begun = asyncio.Event()

    @override
    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        async with super().read() as db:
            with driver_of(db).query_logger(self._count):
                self.has_begun.set()
                yield db

    def _count(self, heard: Any) -> None:
        self.looks += "suppressions" in heard.query


class Relay:
    """Letters of one alert that come to the gate.

    Two of a line follow each other: the second comes as soon as the first is let through.
    """

    def __init__(self, ledger: CountedLedger, lease: Lease, alert: AlertId) -> None:
        self._ledger, self._lease, self._alert = ledger, lease, alert
        self._keeper = Gatekeeper(ledger, lease)

    async def line(self) -> None:
        await self._letter()
        await self._letter()

    async def during_the_first_look(self) -> None:
        await self._ledger.has_begun.wait()
        await self._letter()

    async def _letter(self) -> None:
        await self._keeper.enter(
            Pass(
                alert_id=self._alert,
                channel="email",
                incarnation=self._lease.incarnation,
                dies_at=monotonic() + 3600,
            ),
            "a@example.org",
        )


@pytest.fixture
async def ledger(ledgers: Ledgers, tmp_path: Path) -> AsyncIterator[CountedLedger]:
    url = await ledgers.fresh("postgresql", tmp_path)
    opened = CountedLedger.open(url)
    opened.watch()
    yield opened
    await opened.close()
    await ledgers.drop(url)


@pytest.fixture
async def relay(ledger: CountedLedger) -> Relay:
    lease = Lease(ledger, "here")
    await lease.begin()
    return Relay(ledger, lease, await asked.alert(ledger))


async def test_letters_that_follow_as_a_look_ends_share_the_next_with_one_that_waits(
    ledger: CountedLedger, relay: Relay
) -> None:
    lines = [relay.line() for _ in range(3)]

    async with asyncio.timeout(20):
        await asyncio.gather(*lines, relay.during_the_first_look())

    assert ledger.looks == 2


async def test_crowd_that_waits_is_looked_at_without_those_who_follow(
    ledger: CountedLedger, relay: Relay
) -> None:
    lines = [relay.line() for _ in range(3)]
    crowd = [relay.during_the_first_look() for _ in range(8)]

    async with asyncio.timeout(20):
        await asyncio.gather(*lines, *crowd)

    assert ledger.looks == 3
