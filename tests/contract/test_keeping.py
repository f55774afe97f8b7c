"""A turn's key is kept while its job runs, on a real Valkey: no keeper outlives its turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from typing_extensions import override

from kentongan.alert import Lane
from tests.fakes.valkey import PrivateValkey
from workers.keeping import kept
from workers.queue import Queue, Turn

ALERT = "alr_" + "0" * 26


class OverheardQueue(Queue):
    """A queue that tells when a turn is about to be renewed."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(queue.redis)
        self.asked = asyncio.Event()

    @override
    async def take_turn(self, turn: Turn) -> bool:
        self.asked.set()
        return await super().take_turn(turn)


def turns(count: int) -> list[Turn]:
    return [
        Turn(alert_id=ALERT, channel="sms", lane=Lane.FLASH, k=k, nonce=f"mine-{k}")
        for k in range(count)
    ]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():
            await asyncio.sleep(0.05)


@pytest.fixture
async def queues(valkey: PrivateValkey) -> AsyncIterator[list[OverheardQueue]]:
    """One for each turn: at a connection in common they would wait for each other."""
    opened = [OverheardQueue(Queue.open(valkey.url)) for _ in range(12)]
    yield opened
    for one in opened:
        await one.close()


async def end_while_renewed(queue: OverheardQueue, mine: Turn) -> None:
    """End a turn so many rounds of the loop after its keeper began to renew it as its `k` says."""
    await queue.take_turn(mine)
    queue.asked.clear()
    async with kept(queue, mine):
        await queue.asked.wait()
        for _ in range(mine.k):
            await asyncio.sleep(0)
    await queue.end_turn(mine)


async def test_turn_that_ends_while_it_is_renewed_is_kept_by_nobody(
    queue: Queue, queues: list[OverheardQueue]
) -> None:
    some = turns(len(queues))
    before = asyncio.all_tasks()

    await asyncio.gather(*map(end_while_renewed, queues, some))

    async def nobody_keeps() -> bool:
        return asyncio.all_tasks() <= before

    async def all_may_be_taken() -> bool:
        return not int(await queue.redis.exists(*(mine.key for mine in some)))

    await until(nobody_keeps)
    await until(all_may_be_taken)


async def test_turn_that_hangs_may_be_taken_by_another(queue: Queue) -> None:
    [hanging] = turns(1)
    await queue.take_turn(hanging)

    async def another_may_begin() -> bool:
        return await queue.ring_turn(ALERT, "sms", Lane.FLASH) == 1

    async with kept(queue, hanging, at_most=1.5):
        await until(another_may_begin)
        assert not await queue.take_turn(hanging)


async def test_turn_that_runs_is_kept_from_others(queue: Queue) -> None:
    [running] = turns(1)
    overheard = OverheardQueue(queue)

    async with kept(overheard, running):
        await overheard.asked.wait()  # nothing was taken before: the first renewal takes it
        await until(lambda: _is_held(queue, running))
        assert await queue.ring_turn(ALERT, "sms", Lane.FLASH) == 0


async def _is_held(queue: Queue, turn: Turn) -> bool:
    return bool(await queue.redis.exists(turn.key))
