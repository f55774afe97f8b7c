"""A window's outcomes are written down whatever ends it, and nothing spins or starves beside it."""

import asyncio
from collections import Counter

from sqlalchemy import func, select

from cli import tree
from kentongan.alert import Lane
from kentongan.audience import Audience, PastedPoint
from kentongan.channel import Gate
from kentongan.clock import Micros, seconds
from kentongan.message import Envelope
from kentongan.outcome import Accepted, CutUnsentError, Outcome, Reason, Refused
from ledger import alerts, leases
from ledger.engine import Ledger, read_now
from ledger.schema import attempts, deliveries
from tests.fakes.hands import DullChannel, working
from tests.fakes.running import Running, an_alert, expanded
from workers import main
from workers.runtime import Runtime
from workers.sweep import Sweep
from workers.turn import send_some


async def crowd(ledger: Ledger, count: int) -> Running:
    people = {f"person {n}": [("sms", f"+62811{n:04}")] for n in range(count)}
    return await expanded(ledger, people, channels=("sms",))


async def works(ledger: Ledger) -> Counter[str]:
    async with ledger.read() as db:
        return Counter((await db.execute(select(deliveries.c.work))).scalars())


async def outcomes(ledger: Ledger) -> Counter[str | None]:
    async with ledger.read() as db:
        return Counter((await db.execute(select(attempts.c.outcome))).scalars())


async def send_all(run: Runtime, running: Running) -> None:
    """Open windows until none is left to open, as turns do."""
    async with asyncio.timeout(30):
        while (wait := await send_some(run, running.alert.id, "sms")) is not None:
            await asyncio.sleep(wait)


class Barrier:
    """A send that says when it has begun, and ends when it may."""

    def __init__(self, parties: int) -> None:
        self._missing = parties
        self.all_begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        self._missing -= 1
        if not self._missing:
            self.all_begun.set()
        await self.may_end.wait()
        return Accepted(f"SM-{envelope.address}")


async def test_outcomes_that_wait_for_the_ledger_survive_a_cancellation(ledger: Ledger) -> None:
    running = await crowd(ledger, 5)
    barrier = Barrier(5)
    async with working(ledger, DullChannel(barrier)) as run:
        sending = asyncio.create_task(send_all(run, running))
        await asyncio.wait_for(barrier.all_begun.wait(), 20)
        async with ledger.write():
            barrier.may_end.set()
            await asyncio.sleep(0.3)  # they have landed, and cannot be written down yet
            for task in (sending, *run.flights):
                task.cancel()
            await asyncio.sleep(0)

    assert await outcomes(ledger) == {"accepted": 5}
    assert await works(ledger) == {"settled": 5}


async def test_whoever_waits_for_a_window_may_leave(ledger: Ledger) -> None:
    running = await crowd(ledger, 3)
    barrier = Barrier(3)
    async with working(ledger, DullChannel(barrier)) as run:
        sending = asyncio.create_task(send_all(run, running))
        await asyncio.wait_for(barrier.all_begun.wait(), 20)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        barrier.may_end.set()
        await asyncio.wait_for(asyncio.gather(*run.flights), 20)

    assert await outcomes(ledger) == {"accepted": 3}


async def test_claim_that_is_cut_hands_back_or_sends_what_it_opened(ledger: Ledger) -> None:
    for steps in range(12):
        running = await crowd(ledger, 2)
        async with working(ledger, DullChannel()) as run:
            sending = asyncio.create_task(send_all(run, running))
            for _ in range(steps * 4):
                await asyncio.sleep(0.001)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

        assert None not in await outcomes(ledger)  # no attempt is left open


async def test_what_was_not_begun_is_handed_back_and_the_rest_is_unknown(ledger: Ledger) -> None:
    running = await crowd(ledger, 4)
    begun = asyncio.Event()

    async def half(envelope: Envelope, gate: Gate) -> Outcome:
        if envelope.address[-1] in "01":
            await gate(None)
            begun.set()
        await asyncio.Event().wait()
        return Accepted()

    async with working(ledger, DullChannel(half)) as run:
        sending = asyncio.create_task(send_all(run, running))
        await asyncio.wait_for(begun.wait(), 20)
        await asyncio.sleep(0.2)
        sending.cancel()

    assert await outcomes(ledger) == {"unknown": 2, "not_begun": 2}
    assert await works(ledger) == {"unknown": 2, "pending": 2}


async def test_send_that_is_cut_past_the_gate_with_nothing_handed_over_is_handed_back(
    ledger: Ledger,
) -> None:
    running, waits = await crowd(ledger, 1), asyncio.Event()

    async def behind_another(_envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        waits.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise CutUnsentError from None
        return Accepted()

    async with working(ledger, DullChannel(behind_another)) as run:
        sending = asyncio.create_task(send_all(run, running))
        await waits.wait()
        sending.cancel()
        for flight in tuple(run.flights):
            flight.cancel()
        await asyncio.wait([sending, *run.flights], timeout=20)

    assert await outcomes(ledger) == {"not_begun": 1}
    assert await works(ledger) == {"pending": 1}


async def test_outcome_that_the_ledger_cannot_take_costs_no_other_its_own(ledger: Ledger) -> None:
    running = await crowd(ledger, 5)

    async def odd(envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        if envelope.address.endswith("3"):
            return Refused(object())  # type: ignore[arg-type]  # a plug-in errs
        return Accepted(envelope.address)

    async with working(ledger, DullChannel(odd)) as run:
        await send_all(run, running)
        await asyncio.wait_for(asyncio.gather(*run.flights), 20)

    assert await outcomes(ledger) == {"accepted": 4, None: 1}


async def test_worker_without_a_lease_opens_nothing(ledger: Ledger) -> None:
    running = await crowd(ledger, 2)
    async with working(ledger, DullChannel(rate=1_000_000)) as run:
        async with ledger.write() as db:
            await leases.end(db, run.lease.incarnation)
        run.lease._deadline = 0.0
        for _ in range(5):
            assert await send_some(run, running.alert.id, "sms")

    assert await outcomes(ledger) == {}


async def test_long_messages_go_out_while_redis_is_away(ledger: Ledger) -> None:
    running = await crowd(ledger, 6)
    channel = DullChannel(rate=20, size=3)
    async with working(ledger, channel) as run:
        async with ledger.write() as db:
            await leases.begin(db, "elsewhere")  # another worker: each has half of the pace
        await send_all(run, running)
        await asyncio.wait_for(asyncio.gather(*run.flights), 20)

    assert len(channel.sent) == 6


async def test_attempt_of_a_lapsed_incarnation_is_not_begun_under_the_next(ledger: Ledger) -> None:
    running = await crowd(ledger, 1)
    async with working(ledger, DullChannel(rate=1_000_000)) as run:
        run.local_pace.take("sms:+1500", DullChannel(rate=1000).pace, 1, workers=1, now=0.0)
        async with ledger.write():  # the claim waits; meanwhile the worker takes a new lease
            sending = asyncio.create_task(send_some(run, running.alert.id, "sms"))
            await asyncio.sleep(0.3)
            before, run.lease.incarnation = run.lease.incarnation, "wrk_" + "9" * 26
        await sending

    async with ledger.read() as db:
        rows = (await db.execute(select(attempts.c.worker, attempts.c.outcome))).all()
    assert rows == [(before, "not_begun")]


async def test_gate_that_failed_lets_the_next_one_ask(ledger: Ledger) -> None:
    running = await crowd(ledger, 2)
    async with working(ledger, DullChannel()) as run:
        whole, run.gatekeeper._ledger = run.gatekeeper._ledger, None  # type: ignore[assignment]
        await send_all(run, running)
        await asyncio.wait_for(asyncio.gather(*run.flights), 20)
        run.gatekeeper._ledger = whole
        again = await crowd(ledger, 2)
        await send_all(run, again)
        await asyncio.wait_for(asyncio.gather(*run.flights), 20)

    assert await outcomes(ledger) == {"deferred": 2, "accepted": 2}
    async with ledger.read() as db:
        bugs = select(func.count()).where(attempts.c.reason == Reason.BUG)
        assert (await db.execute(bugs)).scalar_one() == 2


async def test_refused_is_written_down_as_such(ledger: Ledger) -> None:
    running = await crowd(ledger, 2)

    async def refuse(_envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        return Refused(Reason.NO_ROUTE, "no\x00 way \ud800")

    channel = DullChannel(refuse)
    async with working(ledger, channel) as run:
        await send_all(run, running)
        await asyncio.wait_for(asyncio.gather(*run.flights), 20)
        assert run.slots[Lane.FLASH].room(run.line(channel, Lane.FLASH)) >= 2

    assert await works(ledger) == {"failed": 2}


async def test_loop_that_takes_a_cancellation_for_a_failure_ends_all_the_same() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await main._cancelled([task])

    assert swallowed == 2
    assert task.cancelled()


def test_worker_says_goodbye_within_the_grace_of_the_tree() -> None:
    assert main.FAREWELL < tree.GRACE


async def test_people_of_an_alert_that_expired_unexpanded_are_shown_as_expired(
    ledger: Ledger,
) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        points = tuple(PastedPoint(channel="sms", address=f"+{n}", locale="en") for n in range(3))
        alert = an_alert(
            now,
            channels=("sms",),
            audience=Audience(points=points),
            accepted_at=Micros(now - seconds(7200)),
            expires_at=Micros(now - seconds(3600)),
        )
        await alerts.add(db, alert, expand_at=alert.accepted_at)
    channel = DullChannel()
    async with working(ledger, channel) as run:
        sweep = Sweep(run)
        async with asyncio.timeout(20):
            while await works(ledger) != {"expired": 3}:
                await sweep.once()
                await asyncio.sleep(0.01)
            await sweep.stop(10)

    assert channel.sent == []
