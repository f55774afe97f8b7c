"""The doorbell: jobs carry ids, the ledger carries the truth. A lost job is late, never lost.

Work on an alert's channel goes in *turns*. A turn is the key `turn:{alert}:<channel>:<k>` holding a
nonce: whoever rings sets it if it is not there, and only then hands in a job with that nonce. So
however often somebody rings, at most `width` jobs of one channel of one alert exist.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from time import monotonic
from typing import Self

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.exceptions import RedisError

from kentongan.alert import Lane
from workers.redis_url import open_redis

#: Milliseconds that a turn's key lives: while it waits in the queue, and while it runs (renewed).
QUEUED_LIFE = 20_000
RUNNING_LIFE = 4_000

#: Seconds from one join of receipts to the next of a lane, in one process: what comes one by one is
#: joined at once, and a crowd in fewer and larger pages. Less than a ring admits nobody else for.
MERGE_EVERY = {Lane.FLASH: 0.1, Lane.ROUTINE: 0.25}

#: What "Redis is away" looks like from the client.
QUEUE_AWAY = (RedisError, OSError, TimeoutError)

_SET_IF_MINE = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
#: Sets a key that admits a job and hands the job in, as arq does, in one step: a process that died
#: between the two would leave a key that admits nobody, for as long as it lives. Whoever names a
#: nonce may hand in where the key holds it, others only where there is none.
#: KEYS admitting key, job, queue; ARGV nonce wanted or empty, value, its life, job id, job, its
#: life, when it is due, bell, what the bell says.
_ADMIT = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PSETEX', KEYS[2], ARGV[6], ARGV[5])
redis.call('ZADD', KEYS[3], ARGV[7], ARGV[4])
redis.call('PUBLISH', ARGV[8], ARGV[9])
return 1
"""
_DELETE_IF_MINE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


def queue_name(lane: Lane) -> str:
    return f"kentongan:queue:{lane}"


def bell_name(lane: Lane) -> str:
    return f"kentongan:bell:{lane}"


def turn_name(job_id: str) -> str | None:
    """Return what all turns of an alert's channel have in common, None for any other job.

    Ids of older workers name neither alert nor channel: such a turn is like no other.
    """
    match job_id.split(":"):
        case ["turn", alert_id, channel, _]:
            return f"turn:{alert_id}:{channel}"
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One of the jobs that send an alert's channel; `k` counts them from 0."""

    alert_id: str
    channel: str
    lane: Lane
    k: int
    nonce: str

    @property
    def key(self) -> str:
        # The braces keep an alert's keys on one node, should a cluster ever be spoken to.
        return f"turn:{{{self.alert_id}}}:{self.channel}:{self.k}"


class Queue:
    """Jobs in Redis, kept by arq, and a bell that wakes those who wait for them."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self._merged_at: dict[Lane, float] = {}
        self._admit = redis.register_script(_ADMIT)
        self._set_if_mine = redis.register_script(_SET_IF_MINE)
        self._delete_if_mine = redis.register_script(_DELETE_IF_MINE)

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the queue at `KENTONGAN_REDIS_URL`; it connects when it is first used."""
        return cls(open_redis(url))

    async def ring_alert(self, alert_id: str, lane: Lane, after: float = 0) -> None:
        """Have an alert expanded, `after` seconds. Twice is harmless: its cursor moves once."""
        await self._hand_in("expand", lane, after, alert_id)

    async def ring_due(self, alert_id: str, lane: Lane) -> None:
        """Have an alert expanded, for those who look every other second: one job in five seconds.

        All workers look, and a worker may need longer than that for what is there already.
        """
        await self._hand_in_if(
            (f"expand:{{{alert_id}}}", "", "1", 5_000), "expand", lane, 0, alert_id
        )

    async def ring_alerts(self, alert_ids: Sequence[str], lane: Lane) -> None:
        """Have several alerts expanded now, in one round trip whatever their number."""
        queue, now = queue_name(lane), timestamp_ms()
        jobs = {f"expand:{token_hex(8)}": alert_id for alert_id in alert_ids}
        pipe = self.redis.pipeline(transaction=False)
        for job_id, alert_id in jobs.items():
            serializer = self.redis.job_serializer
            job = serialize_job("expand", (alert_id,), {}, None, now, serializer=serializer)
            pipe.psetex(job_key_prefix + job_id, self.redis.expires_extra_ms, job)
        pipe.zadd(queue, dict.fromkeys(jobs, now))
        pipe.publish(bell_name(lane), "0.000")
        await pipe.execute()

    async def ring_turn(self, alert_id: str, channel: str, lane: Lane, width: int = 1) -> int:
        """Have an alert's channel sent, by at most `width` jobs; return how many were new."""
        turns = [
            Turn(alert_id=alert_id, channel=channel, lane=lane, k=k, nonce=token_hex(8))
            for k in range(width)
        ]
        # Every worker rings every two seconds, and mostly all of them are there.
        held = await self.redis.mget([turn.key for turn in turns])
        missing = [turn for turn, there in zip(turns, held, strict=True) if there is None]
        return sum([await self._hand_in_turn(turn, "", 0) for turn in missing])

    async def ring_again(self, turn: Turn, after: float) -> None:
        """Hand a running turn in again at its own tail, under a fresh nonce and job id."""
        await self._hand_in_turn(replace(turn, nonce=token_hex(8)), turn.nonce, after)

    async def _hand_in_turn(self, turn: Turn, held: str, after: float) -> int:
        """Hand a turn in if its key is not there, or holds `held`; return how many were new."""
        life = QUEUED_LIFE + int(after * 1000)
        ids = (turn.alert_id, turn.channel, turn.k, turn.nonce)
        admitted = (turn.key, held, turn.nonce, life)
        return await self._hand_in_if(admitted, "turn", turn.lane, after, *ids)

    async def take_turn(self, turn: Turn) -> bool:
        """Begin, or keep, a turn. False: another holds it, and this job has to end.

        A key that is missing (it expired, Redis was emptied) is taken again.
        """
        mine = self._set_if_mine
        return bool(await mine(keys=[turn.key], args=[turn.nonce, turn.nonce, RUNNING_LIFE]))

    async def end_turn(self, turn: Turn) -> None:
        await self._delete_if_mine(keys=[turn.key], args=[turn.nonce])

    async def begin_merge(self, lane: Lane) -> None:
        """From here on a ring hands in a new job; this one may have read past its event.

        Where this process has just joined some, it first waits for more (`MERGE_EVERY`).
        """
        since = monotonic() - self._merged_at.get(lane, float("-inf"))
        await asyncio.sleep(max(0.0, MERGE_EVERY[lane] - since))
        self._merged_at[lane] = monotonic()
        await self.redis.delete(f"merge:{lane}")

    async def ring_receipts(self, lane: Lane) -> None:
        """Have new provider events joined. One waiting job is enough for any number of them."""
        await self._hand_in_if((f"merge:{lane}", "", "1", 1_000), "merge", lane, 0)

    async def _hand_in_if(
        self,
        admitted: tuple[str, str, str, int],
        job: str,
        lane: Lane,
        after: float,
        *ids: str | int,
    ) -> int:
        """Hand a job in if its admitting key lets it: the key, what it may hold, value, life."""
        key, held, value, life = admitted
        of = f"{job}:{ids[0]}:{ids[1]}" if job == "turn" else job
        job_id, queue, now = f"{of}:{token_hex(8)}", queue_name(lane), timestamp_ms()
        defer = int(after * 1000)
        packed = serialize_job(job, ids, {}, None, now, serializer=self.redis.job_serializer)
        lives = defer + self.redis.expires_extra_ms
        done = await self._admit(
            keys=[key, job_key_prefix + job_id, queue],
            args=[
                *(held, value, life),
                *(job_id, packed, lives, now + defer),
                *(bell_name(lane), f"{after:.3f}"),
            ],
        )
        return int(done)

    async def _hand_in(self, job: str, lane: Lane, after: float, *ids: str | int) -> None:
        # Always a fresh job id: arq turns away one that it still knows, even from inside that job.
        await self.redis.enqueue_job(
            job,
            *ids,
            _job_id=f"{job}:{token_hex(8)}",
            _queue_name=queue_name(lane),
            _defer_by=after or None,
        )
        await self.redis.publish(bell_name(lane), f"{after:.3f}")

    async def close(self) -> None:
        await self.redis.aclose()
