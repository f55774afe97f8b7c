"""The doorbell on a real Valkey: few jobs however often somebody rings, and none gets stuck."""

import asyncio
from pathlib import Path
from time import monotonic

import pytest
from arq.jobs import JobDef

from kentongan.alert import Lane
from tests.fakes.valkey import PrivateValkey
from workers.queue import (
    MERGE_EVERY,
    QUEUE_AWAY,
    QUEUED_LIFE,
    RUNNING_LIFE,
    Queue,
    Turn,
    bell_name,
    queue_name,
)
from workers.wire import pack, unpack

ALERT = "alr_" + "0" * 26


async def jobs(queue: Queue, lane: Lane = Lane.FLASH) -> list[JobDef]:
    return await queue.redis.queued_jobs(queue_name=queue_name(lane))


async def handed_in(queue: Queue) -> list[Turn]:
    """Return the turns that wait in the queue."""
    return [
        Turn(alert_id=a, channel=channel, lane=Lane.FLASH, k=k, nonce=nonce)
        for a, channel, k, nonce in (job.args for job in await jobs(queue))
    ]


async def life(queue: Queue, turn: Turn) -> int:
    return int(await queue.redis.pttl(turn.key))


async def test_at_most_width_jobs_wait_however_often_somebody_rings(queue: Queue) -> None:
    rung = await asyncio.gather(
        *(queue.ring_turn(ALERT, "sms", Lane.FLASH, width=3) for _ in range(50))
    )

    turns = await handed_in(queue)
    assert sum(rung) == len(turns) == 3
    assert sorted(turn.k for turn in turns) == [0, 1, 2]
    assert len({turn.nonce for turn in turns}) == 3


async def test_channels_and_alerts_do_not_share_their_turns(queue: Queue) -> None:
    for alert, channel in ((ALERT, "sms"), (ALERT, "voice"), ("alr_other", "sms")):
        assert await queue.ring_turn(alert, channel, Lane.FLASH) == 1

    assert len(await handed_in(queue)) == 3


async def test_lanes_have_their_own_queues(queue: Queue) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.ROUTINE)
    await queue.ring_alert(ALERT, Lane.FLASH)

    assert [job.function for job in await jobs(queue, Lane.ROUTINE)] == ["turn"]
    assert [job.function for job in await jobs(queue, Lane.FLASH)] == ["expand"]


async def test_turn_that_began_keeps_others_from_beginning(queue: Queue) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)
    [turn] = await handed_in(queue)
    assert RUNNING_LIFE < await life(queue, turn) <= QUEUED_LIFE

    assert await queue.take_turn(turn)

    assert 0 < await life(queue, turn) <= RUNNING_LIFE
    assert await queue.take_turn(turn)  # a renewal
    assert await queue.ring_turn(ALERT, "sms", Lane.FLASH) == 0


async def test_job_whose_nonce_was_lost_ends(queue: Queue) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)
    await queue.redis.delete(f"turn:{{{ALERT}}}:sms:0")  # it expired while it waited
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)
    turns = await handed_in(queue)

    taken = [await queue.take_turn(turn) for turn in turns]

    assert sorted(taken) == [False, True]


async def test_key_that_is_missing_is_taken_again(queue: Queue, valkey: PrivateValkey) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)
    [turn] = await handed_in(queue)
    valkey.flush()

    assert await queue.take_turn(turn)
    assert await queue.ring_turn(ALERT, "sms", Lane.FLASH) == 0


async def test_turn_rings_itself_under_a_fresh_nonce(queue: Queue) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)
    [first] = await handed_in(queue)
    await queue.take_turn(first)

    await queue.ring_again(first, 1.5)

    [second] = [turn for turn in await handed_in(queue) if turn != first]
    assert second.k == first.k
    assert not await queue.take_turn(first)
    assert QUEUED_LIFE < await life(queue, second) <= QUEUED_LIFE + 1500
    assert await queue.take_turn(second)


async def test_turn_that_lost_its_key_rings_nothing_and_ends_nobodys(queue: Queue) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)
    [mine] = await handed_in(queue)
    lost = Turn(alert_id=ALERT, channel="sms", lane=Lane.FLASH, k=0, nonce="another")

    await queue.ring_again(lost, 0)
    await queue.end_turn(lost)

    assert await handed_in(queue) == [mine]
    assert await queue.take_turn(mine)


async def test_turn_that_ended_may_be_rung_again(queue: Queue) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)
    [turn] = await handed_in(queue)
    await queue.take_turn(turn)

    await queue.end_turn(turn)

    assert await queue.ring_turn(ALERT, "sms", Lane.FLASH) == 1


async def test_one_waiting_merge_is_enough_for_any_number_of_events(queue: Queue) -> None:
    for _ in range(20):
        await queue.ring_receipts(Lane.ROUTINE)
    assert [job.function for job in await jobs(queue, Lane.ROUTINE)] == ["merge"]

    await queue.begin_merge(Lane.ROUTINE)  # it may have read past an event that comes now
    await queue.ring_receipts(Lane.ROUTINE)

    assert len(await jobs(queue, Lane.ROUTINE)) == 2


async def test_receipts_that_follow_a_join_are_waited_for_and_joined_together(queue: Queue) -> None:
    await queue.begin_merge(Lane.ROUTINE)
    first = monotonic()
    await queue.ring_receipts(Lane.ROUTINE)

    await queue.begin_merge(Lane.ROUTINE)  # it waits for those that come meanwhile

    assert monotonic() - first >= MERGE_EVERY[Lane.ROUTINE] / 2
    await queue.ring_receipts(Lane.ROUTINE)
    assert len(await jobs(queue, Lane.ROUTINE)) == 2


async def test_every_job_rings_the_bell_with_its_delay(queue: Queue) -> None:
    async with queue.redis.pubsub() as bell:
        await bell.subscribe(bell_name(Lane.FLASH))
        await queue.ring_alert(ALERT, Lane.FLASH, 2.5)
        await queue.ring_turn(ALERT, "sms", Lane.FLASH)
        heard: list[float] = []
        async with asyncio.timeout(10):
            while len(heard) < 2:
                said = await bell.get_message(ignore_subscribe_messages=True, timeout=1)
                heard += [float(said["data"])] if said else []

    assert heard == [2.5, 0]


async def test_job_carries_ids_as_json_and_nothing_else(
    queue: Queue, valkey: PrivateValkey
) -> None:
    await queue.ring_turn(ALERT, "sms", Lane.FLASH)

    [key] = await queue.redis.keys("arq:job:*")
    body = unpack(await queue.redis.get(key))

    assert body["a"][:3] == [ALERT, "sms", 0]
    assert unpack(pack(body)) == body
    assert "sms" in valkey.ask(f"GET {key.decode()}")


async def test_absence_of_redis_is_one_of_the_known_absences(tmp_path: Path) -> None:
    queue = Queue.open(f"unix://{tmp_path}/nobody.sock")

    with pytest.raises(QUEUE_AWAY):
        await queue.ring_alert(ALERT, Lane.FLASH)
    await queue.close()
