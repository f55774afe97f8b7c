"""The pace of a sender, in a real Valkey: a long message starves beside no short ones."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.exceptions import RedisError

from kentongan.alert import Lane
from kentongan.channel import Pace
from tests.fakes.valkey import PrivateValkey
from workers.pace import Paces
from workers.queue import QUEUE_AWAY, Queue

PACE = Pace(units_per_second=0.001, burst=10)  # so slow that nothing comes while we look


@pytest.fixture(scope="module")
def valkey() -> Iterator[PrivateValkey]:
    with PrivateValkey.running() as server:
        yield server


@pytest.fixture
async def queue(valkey: PrivateValkey) -> AsyncIterator[Queue]:
    valkey.flush()
    opened = Queue.open(valkey.url)
    yield opened
    await opened.close()


async def test_where_there_is_a_unit_there_is_a_whole_message(queue: Queue) -> None:
    paces = Paces(queue.redis)
    assert (await paces.take("sms:+1", PACE, 3, Lane.ROUTINE, least=3)).units == 0  # starts empty
    await paces.give_back("sms:+1", PACE, 1)

    assert (await paces.take("sms:+1", PACE, 6, Lane.ROUTINE, least=3)).units == 3

    # The bucket owes two now: whoever comes next waits until they are paid back.
    await paces.give_back("sms:+1", PACE, 2)
    assert (await paces.take("sms:+1", PACE, 1, Lane.ROUTINE)).units == 0
    await paces.give_back("sms:+1", PACE, 1)
    assert (await paces.take("sms:+1", PACE, 1, Lane.ROUTINE)).units == 1


async def test_flash_overdraws_by_one_burst_and_its_last_message_goes_whole(queue: Queue) -> None:
    paces = Paces(queue.redis)

    taken = [(await paces.take("sms:+1", PACE, 6, Lane.FLASH, least=6)).units for _ in range(3)]

    assert taken == [6, 6, 0]


async def test_redis_that_failed_is_not_waited_for_again_at_once() -> None:
    queue = Queue.open("unix:///nowhere/valkey.sock")
    paces = Paces(queue.redis)
    with pytest.raises(QUEUE_AWAY):
        await paces.take("sms:+1", PACE, 1, Lane.FLASH)

    with pytest.raises(RedisError, match="a moment ago"):
        await paces.take("sms:+1", PACE, 1, Lane.FLASH)
    await queue.close()
