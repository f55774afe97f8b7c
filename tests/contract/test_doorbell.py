"""A lane's worker on a real Valkey: it hears the bell, outlives garbage, and ends in order."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any

import pytest
from typing_extensions import override

from kentongan.alert import Lane
from tests.fakes.valkey import PrivateValkey
from workers.doorbell import DoorbellWorker
from workers.queue import QUEUE_AWAY, Queue, bell_name, queue_name
from workers.redis_url import open_redis

NEVER = 3600.0


@dataclass
class Desk:
    """Jobs that note what they were given; `turn` hangs until it is let go."""

    done: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def expand(self, _ctx: Any, alert: str) -> None:
        if alert == "bug":
            raise ZeroDivisionError
        self.done.append(alert)

    async def turn(self, _ctx: Any, alert: str, _channel: str, k: int, _nonce: str) -> None:
        name = f"{alert}:{k}"
        self.begun.append(name)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cut.append(name)
            raise
        self.done.append(name)

    @property
    def jobs(self) -> dict[str, Callable[..., Any]]:
        return {"expand": self.expand, "turn": self.turn}


@asynccontextmanager
async def at_work(
    valkey: PrivateValkey, desk: Desk, *, slots: int = 5, poll_every: float = NEVER
) -> AsyncIterator[tuple[DoorbellWorker, "asyncio.Task[None]"]]:
    """Run a worker of the flash lane that is listening already."""
    redis = open_redis(valkey.url)
    worker = DoorbellWorker(
        redis, Lane.FLASH, desk.jobs, slots=slots, context={}, poll_every=poll_every
    )
    serving = asyncio.create_task(worker.main())
    bell = bell_name(Lane.FLASH)
    await until(lambda: f"{bell}\r\n:1" in valkey.ask(f"PUBSUB NUMSUB {bell}"))
    try:
        yield worker, serving
    finally:
        await worker.finish(monotonic())
        # It ends by itself; cut off in a pipeline it would leave a connection to the collector.
        await asyncio.wait({serving}, timeout=5)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await redis.aclose()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def test_bell_and_not_the_clock_wakes_the_worker(queue: Queue, valkey: PrivateValkey) -> None:
    desk = Desk()
    async with at_work(valkey, desk):
        await queue.ring_alert("one", Lane.FLASH)
        await until(lambda: desk.done == ["one"])

        await queue.ring_alert("two", Lane.FLASH)
        await until(lambda: desk.done == ["one", "two"])


async def test_job_for_later_is_taken_up_when_it_is_due(
    queue: Queue, valkey: PrivateValkey
) -> None:
    desk = Desk()
    async with at_work(valkey, desk):
        await queue.ring_alert("later", Lane.FLASH, 0.3)
        await queue.ring_alert("now", Lane.FLASH)

        await until(lambda: len(desk.done) == 2)

    assert desk.done == ["now", "later"]


async def test_job_whose_bell_nobody_heard_is_found_by_the_clock(
    queue: Queue, valkey: PrivateValkey
) -> None:
    await queue.ring_alert("early", Lane.FLASH)
    desk = Desk()

    async with at_work(valkey, desk, poll_every=0.05):
        await until(lambda: desk.done == ["early"])


async def test_slot_that_comes_free_is_used_at_once(queue: Queue, valkey: PrivateValkey) -> None:
    desk = Desk()
    async with at_work(valkey, desk, slots=1):
        await queue.ring_turn("alert", "sms", Lane.FLASH, width=3)
        await until(lambda: len(desk.begun) == 1)

        desk.go.set()

        await until(lambda: len(desk.done) == 3)


async def test_worker_leaves_other_turns_of_an_alert_to_others(
    queue: Queue, valkey: PrivateValkey
) -> None:
    mine, theirs = Desk(), Desk()
    async with at_work(valkey, mine):
        await queue.ring_turn("alert", "sms", Lane.FLASH, width=3)
        await queue.ring_turn("alert", "voice", Lane.FLASH)
        await until(lambda: len(mine.begun) == 2)

        async with at_work(valkey, theirs, poll_every=0.05):
            await until(lambda: len(theirs.begun) == 1)
            theirs.go.set()
            await until(lambda: len(theirs.done) == 2)

            assert len(mine.begun) == 2
            mine.go.set()
            await until(lambda: len(mine.done) == 2)


async def test_turns_whose_ids_name_no_alert_are_all_taken(
    queue: Queue, valkey: PrivateValkey
) -> None:
    desk = Desk()
    async with at_work(valkey, desk):
        for n in range(3):
            await handed_in_as_of_old(queue, f"alert {n}")
        await queue.redis.publish(bell_name(Lane.FLASH), "0")

        await until(lambda: len(desk.begun) == 3)


async def handed_in_as_of_old(queue: Queue, alert: str) -> None:
    """Hand a turn in under the id that workers gave it before ids said whose turn it is."""
    await queue.redis.enqueue_job(
        *("turn", alert, "sms", 0, "nonce"),
        _job_id=f"turn:{token_hex(8)}",
        _queue_name=queue_name(Lane.FLASH),
    )


async def test_other_lane_is_left_alone(queue: Queue, valkey: PrivateValkey) -> None:
    desk = Desk()
    async with at_work(valkey, desk):
        await queue.ring_alert("routine", Lane.ROUTINE)
        await queue.ring_alert("flash", Lane.FLASH)
        await until(lambda: desk.done != [])

    assert desk.done == ["flash"]


class Bomb:
    """What whoever can write to Redis would plant: it touches a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @override
    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "job",
    [
        b"",
        b"\x80\x05 no pickle",
        b"null",
        b"[]",
        b"{}",
        b'{"t": 1, "f": "system", "a": ["ls"], "k": {}, "et": 1}',
        b'{"t": 1, "f": "expand", "a": [], "k": {}, "et": 1}',
        b'{"t": 1, "f": "expand", "a": 7, "k": 7, "et": 1}',
        b'{"t": 1, "f": ["expand"], "a": [], "k": {}, "et": 1}',
        b'{"t": "x", "f": "expand", "a": ["x"], "k": {}, "et": 1}',
        b'{"t": 1, "f": "expand", "a": ["x"], "k": {}, "et": 1e999}',
        b'{"t": 1, "f": "expand", "a": ["x"], "k": {}, "et": ' + b"9" * 30 + b"}",
    ],
)
async def test_garbage_in_the_queue_does_not_stop_the_worker(
    queue: Queue, valkey: PrivateValkey, job: bytes
) -> None:
    desk = Desk()
    async with at_work(valkey, desk) as (_, serving):
        await planted(queue, job)
        await queue.ring_alert("one", Lane.FLASH)
        await until(lambda: desk.done == ["one"])
        await until(lambda: valkey.ask(f"ZCARD {queue_name(Lane.FLASH)}").startswith(":0"))

        assert not serving.done()


async def planted(queue: Queue, job: bytes) -> None:
    await queue.redis.set("arq:job:planted", job)
    await queue.redis.zadd(queue_name(Lane.FLASH), {"planted": 1})


async def test_pickle_in_the_queue_runs_no_code(
    queue: Queue, valkey: PrivateValkey, tmp_path: Path
) -> None:
    file, desk = tmp_path / "bitten", Desk()
    bomb = {"t": 1, "f": "expand", "a": (Bomb(file),), "k": {}, "et": 1}
    async with at_work(valkey, desk):
        await planted(queue, pickle.dumps(bomb))
        await queue.ring_alert("one", Lane.FLASH)
        await until(lambda: desk.done == ["one"])
        await until(lambda: valkey.ask(f"ZCARD {queue_name(Lane.FLASH)}").startswith(":0"))

    assert not file.exists()


@pytest.mark.parametrize("said", ["", "soon", "nan", "inf", "-1", "1e300", "\u00bd"])
async def test_garbage_on_the_bell_does_not_stop_the_worker(
    queue: Queue, valkey: PrivateValkey, said: str
) -> None:
    desk = Desk()
    async with at_work(valkey, desk) as (_, serving):
        await queue.redis.publish(bell_name(Lane.FLASH), said)
        await queue.ring_alert("one", Lane.FLASH)
        await until(lambda: desk.done == ["one"])

        assert not serving.done()


async def test_job_that_raises_takes_no_other_with_it(queue: Queue, valkey: PrivateValkey) -> None:
    desk = Desk()
    async with at_work(valkey, desk) as (_, serving):
        await queue.ring_alert("bug", Lane.FLASH)
        await queue.ring_alert("one", Lane.FLASH)
        await until(lambda: desk.done == ["one"])

        assert not serving.done()
        assert await queue.redis.keys("arq:result:*") == []


async def test_worker_that_finishes_lets_jobs_end_and_cuts_those_that_do_not(
    queue: Queue, valkey: PrivateValkey
) -> None:
    desk = Desk()
    async with at_work(valkey, desk) as (worker, _):
        await queue.ring_turn("alert", "sms", Lane.FLASH)
        await queue.ring_turn("alert", "voice", Lane.FLASH)
        await until(lambda: len(desk.begun) == 2)
        asyncio.get_running_loop().call_later(0.1, desk.go.set)
        await worker.finish(monotonic() + 20)
        assert (len(desk.done), desk.cut) == (2, [])

    hanging = Desk()
    async with at_work(valkey, hanging) as (worker, _):
        await queue.ring_turn("other", "sms", Lane.FLASH)
        await until(lambda: len(hanging.begun) == 1)
        await worker.finish(monotonic())
        assert (hanging.done, hanging.cut) == ([], ["other:0"])


async def test_worker_whose_redis_goes_away_says_so(queue: Queue) -> None:
    await queue.close()
    desk = Desk()
    with PrivateValkey() as mortal:
        async with at_work(mortal, desk, poll_every=0.05) as (_, serving):
            mortal.kill()
            done, _ = await asyncio.wait({serving}, timeout=20)

            assert done
            assert isinstance(serving.exception(), QUEUE_AWAY)
