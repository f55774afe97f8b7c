"""The pace of each sender, shared by all workers: one bucket in Redis, units taken n at a time."""

from dataclasses import dataclass
from time import monotonic

from redis.asyncio import Redis
from redis.exceptions import RedisError

from kentongan.alert import Lane
from kentongan.channel import Pace
from workers.queue import QUEUE_AWAY

#: Seconds between two looks at an empty bucket.
SHORTEST_WAIT = 0.05
LONGEST_WAIT = 2.0
#: An overdraft that no bucket reaches.
_BOUNDLESS = 1_000_000
#: Seconds in which Redis is not asked for pace once it has failed: a frozen one takes five to fail,
#: and each window would wait for it.
_ASK_AGAIN = 10.0

#: A token bucket by Redis's own clock. A bucket that is not there starts empty: after a FLUSHALL we
#: would otherwise send a second burst. Flash may overdraw it by one burst, at once; routine takes
#: only what is there, and so pays the debt back. A negative wish gives units back. The wait lasts
#: until a fifth of a second's units are there: a turn for every single unit would cost too much.
#: KEYS bucket; ARGV rate, burst, wanted, overdraft. Returns granted, milliseconds until the next.
_TAKE = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local wanted, overdraft, least = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1]) or 0
local since = tonumber(held[2]) or at
if at > since then tokens = math.min(burst, tokens + (at - since) * rate / 1000) else at = since end
local granted = wanted
if wanted > 0 then granted = math.max(0, math.min(wanted, math.floor(tokens + overdraft))) end
if granted > 0 and granted < least then granted = least end
tokens = math.min(burst, tokens - granted)
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', at)
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(burst, burst - tokens) / rate * 1000) + 60000)
local wait = 0
if granted < wanted then
  local worthwhile = math.max(1, math.min(wanted - granted, math.floor(rate * 0.2)))
  wait = math.ceil((worthwhile - tokens - overdraft) / rate * 1000)
end
return {granted, wait}
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """Units that may be sent now, and seconds until more may be asked for."""

    units: int
    wait: float


class Paces:
    """The buckets. Raises what Redis raises when it is away; the caller takes its share then."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(_TAKE)
        self._away_until = 0.0

    async def take(
        self, sender: str, pace: Pace, wanted: int, lane: Lane, *, least: int = 1
    ) -> Grant:
        """Take at most `wanted` units of a sender's pace; `least` (a message) or more, or none."""
        overdraft = pace.burst if lane is Lane.FLASH else 0
        granted, wait = await self._ask(sender, pace, wanted, overdraft, least)
        return Grant(int(granted), min(max(int(wait) / 1000, SHORTEST_WAIT), LONGEST_WAIT))

    async def give_back(self, sender: str, pace: Pace, units: int) -> None:
        """Return units that were taken and not used."""
        if units > 0:
            await self._ask(sender, pace, -units, 0, 0)

    async def owe(self, sender: str, pace: Pace, units: int) -> None:
        """Take units that are used in any case, whatever is left."""
        await self._ask(sender, pace, units, _BOUNDLESS, 0)

    async def _ask(
        self, sender: str, pace: Pace, wanted: int, overdraft: int, least: int
    ) -> tuple[int, int]:
        """Run the script; a Redis that has just failed is not waited for again at once."""
        if monotonic() < self._away_until:
            raise RedisError("was away a moment ago")
        try:
            granted, wait = await self._take(
                keys=[f"pace:{{{sender}}}"],
                args=[pace.units_per_second, pace.burst, wanted, overdraft, least],
            )
        except QUEUE_AWAY:
            self._away_until = monotonic() + _ASK_AGAIN
            raise
        return granted, wait


class LocalPace:
    """One worker's share of a pace while Redis is away: the rate divided by the living workers."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, float]] = {}

    def take(
        self, sender: str, pace: Pace, wanted: int, *, workers: int, now: float, least: int = 1
    ) -> Grant:
        """Take at most `wanted` units, `least` or more, or none; `now` is monotonic seconds."""
        rate = pace.units_per_second / max(workers, 1)
        burst = max(1.0, pace.burst / max(workers, 1))
        tokens, since = self._held.get(sender, (0.0, now))
        tokens = min(burst, tokens + (now - since) * rate)
        granted = max(0, min(wanted, int(tokens)))
        if 0 < granted < least:
            granted = least
        self._held[sender] = (tokens - granted, now)
        wait = (1 - (tokens - granted)) / rate
        return Grant(granted, min(max(wait, SHORTEST_WAIT), LONGEST_WAIT))
