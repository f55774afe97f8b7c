"""The last look before the first byte: shared by those who come together, never too old."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

import pytest
from typing_extensions import override

from kentongan.alert import Control
from kentongan.ids import AlertId
from kentongan.outcome import NotBegunError, Reason
from ledger import alerts, suppressions
from ledger.claims import LEAST_LIFE
from ledger.engine import SERVICE_PATIENCE, Db, Ledger, LedgerAwayError, read_now, sqlite_path
from ledger.migrate import upgrade
from tests.fakes import asked
from tests.fakes.ledgers import Ledgers
from tests.fakes.postgres import Postgres
from workers.gate import Gatekeeper, Pass
from workers.lease import Lease

SHORT = 0.3


class WatchedLedger(Ledger):
    """Counts its reads, lets them end when they may, and can be away. Answers no glance."""

    @override
    def glance(self, sql: str, *args: Any) -> None:
        return None

    def watch(self) -> None:
        self.reads = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.is_away = False

    @override
    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        self.reads += 1
        if self.is_away:
            raise LedgerAwayError("a test took it away")
        async with super().read() as db:
            yield db
            await self.may_end.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
async def ledger(
    request: pytest.FixtureRequest, ledgers: Ledgers, tmp_path: Path
) -> AsyncIterator[WatchedLedger]:
    url = await ledgers.fresh(request.param, tmp_path)
    opened = WatchedLedger.open(url, patience=SERVICE_PATIENCE)
    opened.watch()
    yield opened
    await opened.close()
    await ledgers.drop(url)


@pytest.fixture
async def embedded(ledgers: Ledgers, tmp_path: Path) -> AsyncIterator[Ledger]:
    """A SQLite ledger that is looked into as it is in a worker."""
    opened = Ledger.open(await ledgers.fresh("sqlite", tmp_path), patience=SERVICE_PATIENCE)
    yield opened
    await opened.close()


@pytest.fixture
async def lease(ledger: WatchedLedger) -> Lease:
    held = Lease(ledger, "here")
    await held.begin()
    return held


@pytest.fixture
def keeper(ledger: WatchedLedger, lease: Lease) -> Gatekeeper:
    return Gatekeeper(ledger, lease)


@pytest.fixture
async def alert(ledger: WatchedLedger) -> AlertId:
    return await asked.alert(ledger)


#: A pass, and the address that it is shown for.
Wanted: TypeAlias = tuple[Pass, str]


def wants(alert: AlertId, lease: Lease, address: str = "+1", **changes: Any) -> Wanted:
    dull = {
        "alert_id": alert,
        "channel": "sms",
        "incarnation": lease.incarnation,
        "dies_at": monotonic() + 3600,
    }
    return Pass(**{**dull, **changes}), address


async def barred(keeper: Gatekeeper, wanted: Wanted) -> Reason | None:
    """Return why an attempt may not begin, None if it may."""
    try:
        await asyncio.wait_for(keeper.enter(*wanted), 20)
    except NotBegunError as error:
        return error.reason
    return None


async def order(ledger: Ledger, alert: AlertId, control: Control) -> None:
    async with ledger.write() as db:
        assert await alerts.set_control(db, alert, control, by="key_x", now=await read_now(db))


async def test_attempt_that_nothing_bars_may_begin(
    keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    assert await barred(keeper, wants(alert, lease)) is None


@pytest.mark.parametrize(
    ("control", "reason"), [(Control.STOPPED, Reason.STOPPED), (Control.PAUSED, Reason.PAUSED)]
)
async def test_stop_and_pause_since_the_claim_bar(
    ledger: WatchedLedger,
    keeper: Gatekeeper,
    alert: AlertId,
    lease: Lease,
    *,
    control: Control,
    reason: Reason,
) -> None:
    await order(ledger, alert, control)

    assert await barred(keeper, wants(alert, lease)) is reason
    assert await barred(keeper, wants(await asked.alert(ledger), lease)) is None


async def test_opt_out_since_the_claim_bars_its_own_contact_point(
    ledger: WatchedLedger, keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    async with ledger.write() as db:
        await suppressions.suppress(
            db, "sms", "+1", reason="opted_out", made_by="recipient", now=await read_now(db)
        )

    assert await barred(keeper, wants(alert, lease)) is Reason.SUPPRESSED
    assert await barred(keeper, wants(alert, lease, channel="voice")) is None
    assert await barred(keeper, wants(alert, lease, address="+2")) is None


async def test_alert_with_too_little_life_is_expired_without_asking_anyone(
    ledger: WatchedLedger, keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    dying = wants(alert, lease, dies_at=monotonic() + LEAST_LIFE - 0.1)

    assert await barred(keeper, dying) is Reason.EXPIRED
    assert ledger.reads == 0


async def test_attempt_of_another_incarnation_is_not_begun(
    keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    assert await barred(keeper, wants(alert, lease, incarnation="wrk_old")) is Reason.LEASE_LOST


async def test_lease_that_ends_while_the_ledger_is_asked_bars(
    ledger: WatchedLedger, keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    ledger.may_end.clear()
    entering = asyncio.create_task(barred(keeper, wants(alert, lease)))
    while not ledger.reads:
        await asyncio.sleep(0)
    await lease.end()
    ledger.may_end.set()

    assert await entering is Reason.LEASE_LOST


async def test_those_who_come_together_share_one_read(
    ledger: WatchedLedger, keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    many = [wants(alert, lease, address=f"+{n}") for n in range(100)]

    found = await asyncio.gather(*(barred(keeper, one) for one in many))

    assert set(found) == {None}
    assert ledger.reads <= 2


async def test_whoever_comes_during_a_read_waits_for_the_next(
    ledger: WatchedLedger, keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    ledger.may_end.clear()
    before = asyncio.create_task(barred(keeper, wants(alert, lease)))
    while not ledger.reads:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)  # it has seen the alert running, and is held there
    await order(ledger, alert, Control.STOPPED)
    after = [asyncio.create_task(barred(keeper, wants(alert, lease))) for _ in range(5)]
    await asyncio.sleep(0)
    ledger.may_end.set()

    assert await asyncio.gather(*after) == [Reason.STOPPED] * 5
    await before
    assert ledger.reads == 2


async def test_one_who_gives_up_takes_no_answer_from_the_others(
    ledger: WatchedLedger, keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    ledger.may_end.clear()
    one, other = [asyncio.create_task(barred(keeper, wants(alert, lease))) for _ in range(2)]
    while not ledger.reads:
        await asyncio.sleep(0)
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    ledger.may_end.set()

    assert await other is None


async def test_without_the_ledger_everything_is_handed_back_until_it_returns(
    ledger: WatchedLedger, keeper: Gatekeeper, alert: AlertId, lease: Lease
) -> None:
    ledger.is_away = True
    found = await asyncio.gather(*(barred(keeper, wants(alert, lease)) for _ in range(3)))
    assert found == [Reason.HANDED_BACK] * 3

    ledger.is_away = False
    assert await barred(keeper, wants(alert, lease)) is None


async def test_stop_pause_and_opt_out_bar_at_a_glance(embedded: Ledger) -> None:
    lease = Lease(embedded, "here")
    await lease.begin()
    keeper = Gatekeeper(embedded, lease)
    runs, stopped, paused = [await asked.alert(embedded) for _ in range(3)]
    await order(embedded, stopped, Control.STOPPED)
    await order(embedded, paused, Control.PAUSED)
    async with embedded.write() as db:
        await suppressions.suppress(
            db, "sms", "+9", reason="opted_out", made_by="recipient", now=await read_now(db)
        )

    assert await barred(keeper, wants(runs, lease)) is None
    assert await barred(keeper, wants(stopped, lease)) is Reason.STOPPED
    assert await barred(keeper, wants(paused, lease)) is Reason.PAUSED
    assert await barred(keeper, wants(runs, lease, address="+9")) is Reason.SUPPRESSED
    assert await barred(keeper, wants(runs, lease, incarnation="wrk_old")) is Reason.LEASE_LOST


async def test_ledger_that_somebody_has_for_himself_hands_back_until_it_is_free(
    ledgers: Ledgers, tmp_path: Path, embedded: Ledger
) -> None:
    lease = Lease(embedded, "here")
    await lease.begin()
    (tmp_path / "other").mkdir()
    url = await ledgers.fresh("sqlite", tmp_path / "other")
    ledger = Ledger.open(url, patience=SHORT)
    keeper = Gatekeeper(ledger, lease)

    with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        assert await barred(keeper, wants(AlertId("alr_x"), lease)) is Reason.HANDED_BACK

    assert await barred(keeper, wants(AlertId("alr_x"), lease)) is None
    await ledger.close()


async def test_restarted_server_hands_back_while_it_is_away_and_lets_pass_after(
    embedded: Ledger,
) -> None:
    server = Postgres.running()
    if not server.can_stop:
        pytest.skip("KENTONGAN_TEST_DATABASE_URL names a server that is not ours to stop")
    url = await asyncio.to_thread(server.create_database)
    await asyncio.to_thread(asyncio.run, upgrade(url))
    ledger, lease = Ledger.open(url, patience=SERVICE_PATIENCE), Lease(embedded, "here")
    keeper, alert = Gatekeeper(ledger, lease), await asked.alert(ledger)

    async def ask() -> Reason | None:
        await lease.begin()  # each time: to stop and start a server may outlast a lease
        return await barred(keeper, wants(alert, lease))

    try:
        assert await ask() is None
        server.stop()
        assert await ask() is Reason.HANDED_BACK
        server.start()

        assert await ask() is None
    finally:
        await ledger.close()
        server.close()
