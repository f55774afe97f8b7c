"""The service's doorbell: who commits together rings together, and nobody waits for Redis."""

import asyncio

from arq.jobs import Job

from kentongan.alert import Lane
from kentongan.ids import new_id
from service.doorbell import Doorbell
from workers.queue import Queue, queue_name


async def jobs(queue: Queue, lane: Lane) -> list[tuple[str, list[str]]]:
    """Return name and arguments of each job that waits in a lane."""
    found = []
    for job_id in await queue.redis.zrange(queue_name(lane), 0, -1):
        job = Job(
            job_id.decode(),
            queue.redis,
            _queue_name=queue_name(lane),
            _deserializer=queue.redis.job_deserializer,
        )
        told = await job.info()
        assert told is not None
        found.append((told.function, list(told.args)))
    return found


async def test_alerts_rung_at_once_are_a_job_each_in_their_lane(queue: Queue) -> None:
    bell = Doorbell(queue)
    urgent, others = [new_id("alert") for _ in range(3)], [new_id("alert") for _ in range(40)]

    await asyncio.gather(
        *(bell.ring_alert(one, Lane.FLASH) for one in urgent),
        *(bell.ring_alert(one, Lane.ROUTINE) for one in others),
    )
    await bell.ring_alert(urgent[0], Lane.FLASH)

    flash, routine = await jobs(queue, Lane.FLASH), await jobs(queue, Lane.ROUTINE)
    assert sorted(flash) == sorted(("expand", [one]) for one in (*urgent, urgent[0]))
    assert sorted(routine) == sorted(("expand", [one]) for one in others)


async def test_receipts_of_a_moment_are_one_job_in_each_lane(queue: Queue) -> None:
    bell = Doorbell(queue)

    await asyncio.gather(*(bell.ring_receipts(lane) for lane in Lane for _ in range(20)))

    assert [await jobs(queue, lane) for lane in Lane] == [[("merge", [])], [("merge", [])]]


async def test_alert_that_waits_is_a_job_for_later(queue: Queue) -> None:
    bell = Doorbell(queue)

    await bell.ring_alert(new_id("alert"), Lane.FLASH, after=60)
    await bell.ring_alert(new_id("alert"), Lane.FLASH)

    scores = [
        score
        for _, score in await queue.redis.zrange(queue_name(Lane.FLASH), 0, -1, withscores=True)
    ]
    assert 50_000 < max(scores) - min(scores) < 70_000


async def test_caller_who_goes_away_takes_no_other_ring_along(queue: Queue) -> None:
    bell = Doorbell(queue)
    kept, gone = new_id("alert"), new_id("alert")

    leaving = asyncio.create_task(bell.ring_alert(gone, Lane.FLASH))
    staying = asyncio.create_task(bell.ring_alert(kept, Lane.FLASH))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying

    assert ("expand", [kept]) in await jobs(queue, Lane.FLASH)


async def test_ring_at_a_redis_that_is_away_ends_in_silence() -> None:
    queue = Queue.open("redis://127.0.0.1:9/0")
    bell = Doorbell(queue)

    async with asyncio.timeout(10):
        await asyncio.gather(*(bell.ring_alert(new_id("alert"), Lane.FLASH) for _ in range(5)))
        await bell.ring_receipts(Lane.ROUTINE)

    assert await bell.is_away()
    await queue.close()
