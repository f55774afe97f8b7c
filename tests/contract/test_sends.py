"""What becomes of a send: none holds up another, and what was ordered on the way is obeyed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from kentongan.alert import Control
from kentongan.channel import Gate
from kentongan.circuit import Circuit
from kentongan.clock import Micros, seconds
from kentongan.delivery import Work
from kentongan.ids import AttemptRef
from kentongan.message import Envelope
from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused
from ledger import alerts, providers, suppressions
from ledger.claims import LEAST_LIFE
from ledger.engine import Ledger, read_now
from tests.fakes import asked
from tests.fakes.hands import DullChannel, accept, working
from tests.fakes.running import becomes
from tests.fakes.sending import crowd, landed, rows, works
from tests.fakes.valkey import PrivateValkey
from workers.turn import send_some


@pytest.fixture(scope="module")
def valkey() -> Iterator[PrivateValkey]:
    with PrivateValkey() as running:
        yield running


@pytest.fixture
def redis(valkey: PrivateValkey) -> str:
    """The URL of an empty Valkey."""
    valkey.flush()
    return valkey.url


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.01)


async def test_window_is_sent_and_settled(ledger: Ledger, redis: str) -> None:
    running, channel = await crowd(ledger, 3), DullChannel()
    async with working(ledger, channel, redis=redis) as run:
        assert await send_some(run, running.alert.id, "sms") is None
        await landed(run)

    assert sorted(channel.sent) == ["+0", "+1", "+2"]
    assert await works(ledger, running) == [Work.SETTLED] * 3
    first = await asked.attempt_row(ledger, AttemptRef(running.delivery("+0"), 1))
    assert (first.outcome, first.provider_id, first.sender) == ("accepted", "SM-+0", "+1500")


async def test_send_that_hangs_holds_up_no_other_outcome(ledger: Ledger, redis: str) -> None:
    running, go = await crowd(ledger, 3), asyncio.Event()

    async def first_hangs(envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        if envelope.address == "+0":
            await go.wait()
        return Accepted(envelope.address)

    async with working(ledger, DullChannel(first_hangs), redis=redis) as run:
        assert await send_some(run, running.alert.id, "sms") is None

        async def others_are_settled() -> bool:
            return (await works(ledger, running))[1:] == [Work.SETTLED] * 2

        await until(others_are_settled)
        assert (await works(ledger, running))[0] == Work.ATTEMPTING
        more = await crowd(ledger, 2)  # nor does it hold up other alerts
        await becomes(ledger, more.delivery("+0"), work=Work.FAILED)
        await send_some(run, more.alert.id, "sms")

        async def more_is_settled() -> bool:
            return (await works(ledger, more))[1] == Work.SETTLED

        await until(more_is_settled)
        go.set()
        await landed(run)

    assert await works(ledger, running) == [Work.SETTLED] * 3


@pytest.mark.parametrize(
    ("begins", "outcome", "work"),
    [(False, "deferred", Work.RETRY_WAIT), (True, "unknown", Work.UNKNOWN)],
    ids=["before the gate", "after it"],
)
async def test_bug_of_a_channel_is_an_outcome_like_any_other(
    ledger: Ledger, redis: str, *, begins: bool, outcome: str, work: Work
) -> None:
    running = await crowd(ledger, 2)

    async def trips(envelope: Envelope, gate: Gate) -> Outcome:
        if envelope.address == "+1":
            return await accept(envelope, gate)
        if begins:
            await gate(None)
        raise ZeroDivisionError

    async with working(ledger, DullChannel(trips), redis=redis) as run:
        await send_some(run, running.alert.id, "sms")
        await landed(run)

    attempt = await asked.attempt_row(ledger, AttemptRef(running.delivery("+0"), 1))
    assert (attempt.outcome, attempt.reason) == (outcome, Reason.BUG)
    assert await works(ledger, running) == [work, Work.SETTLED]


@pytest.mark.parametrize("control", [Control.STOPPED, Control.PAUSED])
async def test_order_between_claim_and_first_byte_is_obeyed(
    ledger: Ledger, redis: str, control: Control
) -> None:
    running = await crowd(ledger, 1)

    async def ordered_meanwhile(envelope: Envelope, gate: Gate) -> Outcome:
        async with ledger.write() as db:
            now = await read_now(db)
            await alerts.set_control(db, running.alert.id, control, by="key_x", now=now)
        return await accept(envelope, gate)

    async with working(ledger, DullChannel(ordered_meanwhile), redis=redis) as run:
        await send_some(run, running.alert.id, "sms")
        await landed(run)

    attempt = await asked.attempt_row(ledger, AttemptRef(running.delivery("+0"), 1))
    assert attempt.outcome == "not_begun"
    stopped = control is Control.STOPPED
    assert await works(ledger, running) == [Work.STOPPED if stopped else Work.PENDING]


async def test_opt_out_between_claim_and_first_byte_is_obeyed(ledger: Ledger, redis: str) -> None:
    running = await crowd(ledger, 1)

    async def opted_out_meanwhile(envelope: Envelope, gate: Gate) -> Outcome:
        async with ledger.write() as db:
            await suppressions.suppress(
                db, "sms", "+0", reason="opted_out", made_by="recipient", now=await read_now(db)
            )
        return await accept(envelope, gate)

    async with working(ledger, DullChannel(opted_out_meanwhile), redis=redis) as run:
        await send_some(run, running.alert.id, "sms")
        await landed(run)

    assert await works(ledger, running) == [Work.SUPPRESSED]


async def test_alert_that_grows_too_old_on_the_way_is_not_sent(ledger: Ledger, redis: str) -> None:
    async def slowly(envelope: Envelope, gate: Gate) -> Outcome:
        await asyncio.sleep(envelope.remaining - LEAST_LIFE)
        return await accept(envelope, gate)

    channel, became = DullChannel(slowly), list[str]()
    async with working(ledger, channel, redis=redis) as run:
        for life in (1, 2, 4, 8):  # until it is claimed alive, however busy the machine
            expires = Micros(await ledger.now() + seconds(LEAST_LIFE + life))
            running = await crowd(ledger, 1, expires_at=expires)
            await send_some(run, running.alert.id, "sms")
            await landed(run)
            if channel.sent:
                became = await works(ledger, running)
                break

    assert became == [Work.EXPIRED]


async def test_refusals_teach_who_opted_out_and_what_is_gone(ledger: Ledger, redis: str) -> None:
    running = await crowd(ledger, 1)

    async def refuse(_envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        return Refused(Reason.OPTED_OUT)

    async with working(ledger, DullChannel(refuse), redis=redis) as run:
        await send_some(run, running.alert.id, "sms")
        await landed(run)

    async with ledger.read() as db:
        assert await suppressions.in_force(db, "sms", "+0")


async def test_account_that_is_refused_three_times_is_set_aside(ledger: Ledger, redis: str) -> None:
    running = await crowd(ledger, 3)

    async def refuse(_envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        return Deferred(Reason.ACCOUNT, counted=False)

    channel = DullChannel(refuse)
    async with working(ledger, channel, redis=redis) as run:
        await send_some(run, running.alert.id, "sms")
        await landed(run)
        async with ledger.read() as db:
            [stands] = await providers.standings(db)
        assert stands.circuit is Circuit.OPEN
        again = await crowd(ledger, 1)

        assert await send_some(run, again.alert.id, "sms")  # seconds until it looks again

    assert len(channel.sent) == 3
    assert [row.tries for row in await rows(ledger, running)] == [0, 0, 0]
    assert await works(ledger, again) == [Work.PENDING]
