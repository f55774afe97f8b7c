"""A turn on a real Valkey: take pace, claim, send, and ring again for what is left."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from kentongan.alert import Lane
from kentongan.delivery import Work
from ledger import suppressions
from ledger.claims import Due
from ledger.engine import Ledger, read_now
from tests.fakes.hands import DullChannel, working
from tests.fakes.running import becomes, expanded
from tests.fakes.sending import crowd, landed, works
from tests.fakes.valkey import PrivateValkey
from workers.queue import Queue, Turn, queue_name
from workers.runtime import JobContext, Runtime
from workers.taking import take
from workers.turn import send_some, turn

BUCKET = "pace:{sms:+1500}"


@pytest.fixture(scope="module")
def valkey() -> Iterator[PrivateValkey]:
    with PrivateValkey() as running:
        yield running


@pytest.fixture
def redis(valkey: PrivateValkey) -> str:
    """The URL of an empty Valkey."""
    valkey.flush()
    return valkey.url


@pytest.fixture
async def queue(redis: str) -> AsyncIterator[Queue]:
    opened = Queue.open(redis)
    yield opened
    await opened.close()


async def units_left(queue: Queue) -> float:
    async with queue.redis.pipeline() as pipe:
        pipe.hget(BUCKET, "tokens")
        [held] = await pipe.execute()
    return float(held)


async def test_routine_sends_nothing_that_the_pace_does_not_allow(
    ledger: Ledger, redis: str
) -> None:
    running = await crowd(ledger, 3, lane=Lane.ROUTINE)
    channel = DullChannel(rate=0.001)
    async with working(ledger, channel, redis=redis) as run:
        wait = await send_some(run, running.alert.id, "sms")

    assert wait
    assert await works(ledger, running) == [Work.PENDING] * 3


async def test_units_that_nobody_used_are_given_back(
    ledger: Ledger, redis: str, queue: Queue
) -> None:
    running = await crowd(ledger, 2)
    async with ledger.write() as db:
        await suppressions.suppress(
            db, "sms", "+1", reason="opted_out", made_by="recipient", now=await read_now(db)
        )
    # Due, and not to be claimed: as if its row had been written beside the suppression.
    await becomes(ledger, running.delivery("+1"), work=Work.PENDING, reason=None)
    async with working(ledger, DullChannel(rate=40), redis=redis) as run:
        await send_some(run, running.alert.id, "sms")
        assert -1.001 <= await units_left(queue) <= 39
        await landed(run)
        assert await send_some(run, running.alert.id, "sms") is None

    assert await works(ledger, running) == [Work.SETTLED, Work.SUPPRESSED]


async def test_turn_that_leaves_nothing_ends_its_key(
    ledger: Ledger, redis: str, queue: Queue
) -> None:
    running = await crowd(ledger, 2)
    async with working(ledger, DullChannel(), redis=redis) as run:
        await queue.ring_turn(running.alert.id, "sms", Lane.FLASH)
        [mine] = await handed_in(queue)

        await work_on(run, mine)
        await landed(run)

    assert await works(ledger, running) == [Work.SETTLED] * 2
    assert await queue.ring_turn(running.alert.id, "sms", Lane.FLASH) == 1


async def test_turn_that_leaves_some_rings_itself(ledger: Ledger, redis: str, queue: Queue) -> None:
    running = await crowd(ledger, 40)
    async with working(ledger, DullChannel(rate=8), redis=redis) as run:
        await queue.ring_turn(running.alert.id, "sms", Lane.FLASH)
        [mine] = await handed_in(queue)

        await work_on(run, mine)
        await landed(run)

    left = [one for one in await handed_in(queue) if one != mine]
    assert 0 < (await works(ledger, running)).count(Work.PENDING) < 40
    assert [(one.k, one.nonce != mine.nonce) for one in left] == [(0, True)]


async def test_turn_goes_on_while_pace_and_slots_are_left(
    ledger: Ledger, redis: str, queue: Queue
) -> None:
    running = await crowd(ledger, 9)
    async with working(ledger, DullChannel(rate=16), redis=redis) as run:
        await queue.ring_turn(running.alert.id, "sms", Lane.FLASH)
        [mine] = await handed_in(queue)

        await work_on(run, mine)
        await landed(run)

    # A window holds what goes on the wire in a quarter of a second: four of nine.
    assert await works(ledger, running) == [Work.SETTLED] * 9
    assert await handed_in(queue) == [mine]


class Dwelling:
    """A send that keeps its slot until it may leave."""

    def __init__(self, may_leave: asyncio.Event) -> None:
        self._may_leave = may_leave

    async def go(self) -> None:
        await self._may_leave.wait()

    def ended(self) -> None: ...


@pytest.mark.parametrize(("workers", "rows"), [(1, 40), (4, 10), (1000, 1)])
async def test_worker_whose_slots_are_taken_claims_its_share_of_the_last_rows(
    ledger: Ledger, redis: str, workers: int, rows: int
) -> None:
    running = await crowd(ledger, 1, lane=Lane.FLASH)
    channel = DullChannel()
    async with working(ledger, channel, redis=redis) as run:
        slots, may_leave = run.slots[Lane.FLASH], asyncio.Event()
        line = run.line(channel, Lane.FLASH)
        slots.put(line, [Dwelling(may_leave) for _ in range(200)])
        showing, last = await run.showing(running.alert.id), Due(rows=40, workers=workers)
        while slots.idle(line):  # none is there at once, but two hundred soon
            await asyncio.sleep(0)
        may_leave.set()
        while slots.passing < 400:
            await asyncio.sleep(0)
        slots.put(line, [Dwelling(asyncio.Event()) for _ in range(200)])

        taken = await take(run, showing, "sms", last)

        assert taken.rows == rows


async def test_worker_with_slots_at_rest_claims_whatever_is_due(ledger: Ledger, redis: str) -> None:
    running = await crowd(ledger, 1, lane=Lane.FLASH)
    async with working(ledger, DullChannel(), redis=redis) as run:
        showing = await run.showing(running.alert.id)

        taken = await take(run, showing, "sms", Due(rows=40, workers=4))

        assert taken.rows == 40


async def test_turn_whose_key_is_anothers_sends_nothing(
    ledger: Ledger, redis: str, queue: Queue
) -> None:
    running, channel = await crowd(ledger, 1), DullChannel()
    async with working(ledger, channel, redis=redis) as run:
        await queue.ring_turn(running.alert.id, "sms", Lane.FLASH)
        lost = Turn(alert_id=running.alert.id, channel="sms", lane=Lane.FLASH, k=0, nonce="another")

        await work_on(run, lost)

    assert channel.sent == []


async def test_turn_of_a_channel_that_is_gone_leaves_its_deliveries_waiting(
    ledger: Ledger, redis: str
) -> None:
    running = await expanded(ledger, {"Siti": [("email", "siti@example.org")]})
    async with working(ledger, DullChannel(), redis=redis) as run:
        assert await send_some(run, running.alert.id, "email") is None

    assert await works(ledger, running) == [Work.PENDING]


async def handed_in(queue: Queue) -> list[Turn]:
    jobs = await queue.redis.queued_jobs(queue_name=queue_name(Lane.FLASH))
    return [
        Turn(alert_id=alert, channel=channel, lane=Lane.FLASH, k=k, nonce=nonce)
        for alert, channel, k, nonce in (job.args for job in jobs)
    ]


async def work_on(run: Runtime, mine: Turn) -> None:
    """Run a turn's job as arq does."""
    context = JobContext(runtime=run, lane=mine.lane)
    await asyncio.wait_for(turn(context, mine.alert_id, mine.channel, mine.k, mine.nonce), 20)
