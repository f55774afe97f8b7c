"""One bucket a sender, shared by all workers, kept by a script in a real Valkey."""

import asyncio
from pathlib import Path

import pytest

from kentongan.alert import Lane
from kentongan.channel import Pace
from tests.fakes.valkey import PrivateValkey
from workers.pace import LONGEST_WAIT, SHORTEST_WAIT, Paces
from workers.queue import QUEUE_AWAY, Queue

#: So slow that nothing trickles in while a test runs.
SLOW = Pace(units_per_second=0.001, burst=10)
SENDER = "sms:+1500"
KEY = "pace:{sms:+1500}"


@pytest.fixture
def paces(queue: Queue) -> Paces:
    return Paces(queue.redis)


async def holds(queue: Queue, tokens: float, *, ago: float = 0) -> None:
    """Set what the bucket held `ago` seconds before now."""
    seconds, micros = await queue.redis.time()
    at = seconds * 1000 + micros // 1000 - int(ago * 1000)
    async with queue.redis.pipeline() as pipe:
        pipe.hset(KEY, mapping={"tokens": str(tokens), "at": at})
        await pipe.execute()


async def taken(
    paces: Paces, wanted: int, lane: Lane = Lane.ROUTINE, pace: Pace = SLOW, least: int = 1
) -> int:
    return (await paces.take(SENDER, pace, wanted, lane, least=least)).units


async def test_bucket_starts_empty_so_that_no_loss_of_redis_makes_a_second_burst(
    queue: Queue, paces: Paces, valkey: PrivateValkey
) -> None:
    assert await taken(paces, 5) == 0
    await holds(queue, 5)

    valkey.flush()

    assert await taken(paces, 5) == 0


async def test_bucket_fills_at_its_rate_and_never_above_the_burst(
    queue: Queue, paces: Paces
) -> None:
    await holds(queue, 0, ago=3000)
    assert await taken(paces, 100) == 3

    await holds(queue, 0, ago=86_400)
    assert await taken(paces, 100) == SLOW.burst


async def test_only_what_is_there_is_granted(queue: Queue, paces: Paces) -> None:
    await holds(queue, 7)

    assert [await taken(paces, 5) for _ in range(3)] == [5, 2, 0]


async def test_flash_may_overdraw_by_one_burst_and_routine_may_not(
    queue: Queue, paces: Paces
) -> None:
    await holds(queue, 3)

    assert await taken(paces, 100, Lane.FLASH) == 3 + SLOW.burst
    assert await taken(paces, 100, Lane.FLASH) == 0
    assert await taken(paces, 100, Lane.ROUTINE) == 0


async def test_routine_pays_back_what_flash_overdrew(queue: Queue, paces: Paces) -> None:
    await holds(queue, -10, ago=9000)
    assert await taken(paces, 1) == 0

    await holds(queue, -10, ago=12_000)
    assert await taken(paces, 5) == 2


async def test_unused_units_are_given_back_and_never_above_the_burst(
    queue: Queue, paces: Paces
) -> None:
    await holds(queue, 6)
    await taken(paces, 6)
    await paces.give_back(SENDER, SLOW, 4)
    assert await taken(paces, 100) == 4

    await paces.give_back(SENDER, SLOW, 1000)
    assert await taken(paces, 100) == SLOW.burst


async def test_giving_back_nothing_changes_nothing(queue: Queue, paces: Paces) -> None:
    await paces.give_back(SENDER, SLOW, 0)
    await paces.give_back(SENDER, SLOW, -5)

    assert await queue.redis.exists(KEY) == 0


async def test_message_of_several_units_is_granted_whole_or_not_at_all(
    queue: Queue, paces: Paces
) -> None:
    await holds(queue, 1)

    assert await taken(paces, 6, least=3) == 3
    assert await taken(paces, 6, least=3) == 0
    await holds(queue, -2, ago=2000)
    assert await taken(paces, 6, least=3) == 0  # what was lent is paid back first


async def test_workers_that_ask_at_once_share_what_is_there(
    queue: Queue, valkey: PrivateValkey
) -> None:
    await holds(queue, 10)
    others = [Queue.open(valkey.url) for _ in range(4)]

    grants = await asyncio.gather(*(taken(Paces(q.redis), 3) for q in others for _ in range(5)))

    assert sum(grants) == 10
    for other in others:
        await other.close()


async def test_senders_do_not_share(queue: Queue, paces: Paces) -> None:
    await holds(queue, 10)

    other = await paces.take("sms:+1999", SLOW, 5, Lane.ROUTINE)

    assert other.units == 0
    assert await taken(paces, 10) == 10


async def test_clock_that_was_set_back_makes_no_units(queue: Queue, paces: Paces) -> None:
    await holds(queue, 2, ago=-3600)

    assert [await taken(paces, 5) for _ in range(2)] == [2, 0]


@pytest.mark.parametrize(
    ("rate", "least", "most"),
    [(0.001, LONGEST_WAIT, LONGEST_WAIT), (1, 0.5, 1), (1_000_000, SHORTEST_WAIT, SHORTEST_WAIT)],
)
async def test_wait_is_until_units_are_there_within_bounds(
    queue: Queue, paces: Paces, rate: float, least: float, most: float
) -> None:
    pace = Pace(units_per_second=rate, burst=1)
    await holds(queue, 0)

    grant = await paces.take(SENDER, pace, 2, Lane.ROUTINE)

    assert least <= grant.wait <= most


async def test_bucket_that_nobody_uses_is_forgotten_when_it_would_be_full(
    queue: Queue, paces: Paces
) -> None:
    await holds(queue, 5)
    await taken(paces, 5)

    life = await queue.redis.pttl(KEY)

    assert life >= SLOW.burst / SLOW.units_per_second * 1000


async def test_redis_that_has_just_failed_is_not_waited_for_again(tmp_path: Path) -> None:
    queue = Queue.open(f"unix://{tmp_path}/v.sock")
    paces = Paces(queue.redis)
    with pytest.raises(QUEUE_AWAY):
        await taken(paces, 1)

    with pytest.raises(QUEUE_AWAY, match="a moment ago"):
        await taken(paces, 1)
    await queue.close()
