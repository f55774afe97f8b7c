"""Tells who calls: API keys, verified against the ledger and remembered for five seconds."""

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from kentongan.access import Act, Extent, extent_of
from kentongan.alert import Mode
from kentongan.ids import KeyId
from ledger import keys
from ledger.engine import Ledger, read_now
from ledger.keys import Held, Key
from service.limits import FailureLimit
from service.web.problems import ProblemError

#: Seconds that a key is believed without looking again; a revocation holds after that.
MEMORY = 5.0
_REMEMBERED = 4096
#: Seconds that a stranger waits for a look where somebody guesses.
_TURN_WITHIN = 0.5
_USELESS_HASH = "0" * 64

FAILURES_PER_MINUTE = 30


def elapsed() -> float:
    """Return seconds of a clock that also counts while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Access:
    """Who calls, and how far they may go."""

    key: Key

    @property
    def id(self) -> KeyId:
        """The caller's name in `made_by`, audit and idempotency."""
        return self.key.id

    def extent(self, act: Act) -> Extent:
        """Return how far the caller may go; raise a 403 if not at all."""
        extent = extent_of(self.key.role, act)
        if extent is None:
            raise ProblemError(
                403,
                f"A key of role {self.key.role} may not do this ({act}).",
                fix="Use a key of another role; an admin makes one with POST /v1/keys.",
            )
        return extent

    def may_use(self, mode: Mode) -> bool:
        """Tell whether the key was granted `mode`."""
        return mode in self.key.modes


@dataclass(frozen=True, slots=True)
class _Remembered:
    held: Held
    fresh_until: float


class Gatekeeper:
    """Verifies keys. What fails is limited per remote address and per public prefix.

    A limit hinders only those who fail: prefixes are public, and many callers share one proxy, so
    that a key which verifies is let in however many others failed beside it.
    """

    def __init__(self, ledger: Ledger, *, monotonic: Callable[[], float] = elapsed) -> None:
        self._ledger, self._monotonic = ledger, monotonic
        self._known: OrderedDict[str, _Remembered] = OrderedDict()
        self._failures = FailureLimit(most=FAILURES_PER_MINUTE, window=60)
        self._turn = asyncio.Semaphore()
        self._clock_ahead = 0.0
        self._used: dict[KeyId, int] = {}
        self._looks: dict[str, asyncio.Task[Held | None]] = {}

    async def admit(self, authorization: str | None, remote: str) -> Access:
        """Return who calls; raise a 401, alike for unknown, revoked and expired keys, or a 429."""
        scheme, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        prefix = keys.prefix_of(secret) if scheme.lower() == "bearer" else None
        names = [f"from {network_of(remote)}", *([f"key {prefix}"] if prefix else [])]
        held = await self._held(prefix, names) if prefix else None
        genuine = keys.is_genuine(secret, held.hash if held else _USELESS_HASH)
        if held is None or not genuine or not held.key.is_good(self.ledger_now()):
            self._fail(names)
        self._used[held.key.id] = self.ledger_now()
        return Access(held.key)

    def used(self) -> dict[KeyId, int]:
        """Return which keys were used since the last call, and when."""
        used, self._used = self._used, {}
        return used

    def forget(self, key: Key) -> None:
        """Look again at the next use: the key was changed by this process."""
        self._known.pop(key.prefix, None)
        self._looks.pop(key.prefix, None)

    async def _held(self, prefix: str, names: list[str]) -> Held | None:
        known = self._known.get(prefix)
        if known and self._monotonic() < known.fresh_until:
            return known.held
        if known is None and self._wait(names) > 0:
            return await self._look_in_turn(prefix, names)
        return await self._look(prefix)

    async def _look_in_turn(self, prefix: str, names: list[str]) -> Held | None:
        """Look up a stranger from where somebody guesses: whoever guesses takes one read at most.

        It may be an officer behind the same proxy, so that it is not refused unseen.
        """
        try:
            async with asyncio.timeout(_TURN_WITHIN):
                await self._turn.acquire()
        except TimeoutError:
            self._refuse_if_limited(names)
            return await self._look(prefix)  # the limit has just ended
        try:
            return await self._look(prefix)
        finally:
            self._turn.release()

    async def _look(self, prefix: str) -> Held | None:
        """Look once for all who ask at the same time, above all when a busy key's memory ends."""
        look = self._looks.get(prefix)
        if look is None:
            look = self._looks[prefix] = asyncio.create_task(self._look_once(prefix))
        return await asyncio.shield(look)

    async def _look_once(self, prefix: str) -> Held | None:
        asked_at = self._monotonic()
        try:
            async with self._ledger.read() as db:
                held = await keys.find_by_prefix(db, prefix)
                self._clock_ahead = await read_now(db) / 1e6 - self._monotonic()
        finally:
            # Not if the key was changed meanwhile: another look may be under way by now.
            is_latest = self._looks.get(prefix) is asyncio.current_task()
            if is_latest:
                del self._looks[prefix]
        if is_latest:
            self._remember(prefix, held, asked_at)
        return held

    def _remember(self, prefix: str, held: Held | None, asked_at: float) -> None:
        self._known.pop(prefix, None)
        if held is None:
            return
        self._known[prefix] = _Remembered(held, asked_at + MEMORY)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def ledger_now(self) -> int:
        """Return the ledger's clock in epoch microseconds, reckoned from the last look at it.

        Whoever was admitted is as sure of it as of their key: it is `MEMORY` old at most.
        """
        return int((self._monotonic() + self._clock_ahead) * 1e6)

    def _fail(self, names: list[str]) -> NoReturn:
        self._refuse_if_limited(names)
        for name in names:
            self._failures.note(name, self._monotonic())
        raise ProblemError(
            401,
            "This needs an API key that is known and in force.",
            fix="Send Authorization: Bearer ktg_…",
            headers={"WWW-Authenticate": 'Bearer realm="kentongan"'},
        )

    def _wait(self, names: list[str]) -> float:
        return max(self._failures.wait(name, self._monotonic()) for name in names)

    def _refuse_if_limited(self, names: list[str]) -> None:
        if (wait := self._wait(names)) > 0:
            raise ProblemError(
                429,
                "Too many requests with a bad key.",
                fix="Mend the key, then wait.",
                headers={"Retry-After": str(math.ceil(wait))},
            )


@lru_cache(maxsize=1024)
def network_of(remote: str) -> str:
    """Return what one abuser is likely to hold: an IPv4 address, or an IPv6 network of /64."""
    try:
        address = ipaddress.ip_address(remote.partition("%")[0])
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
