"""Slows down who guesses passwords and codes, and hashes few at once.

Alike for logins that exist and that do not. The limits are for a minute, so that whoever guesses
at an officer's login keeps the officer out no longer than that.
"""

import asyncio
import math
from collections.abc import Callable

from kentongan.passwords import NOBODYS, hash_password, is_right
from ledger.users import Held
from service.access import elapsed, network_of
from service.limits import FailureLimit
from service.web.problems import ProblemError

WINDOW = 60.0
FAILURES_PER_LOGIN = 10
FAILURES_PER_NETWORK = 30
#: One takes a tenth of a second of a core, and 32 MiB.
_HASHED_AT_ONCE = 2


class Door:
    """The failures of the last minute, as this process saw them."""

    def __init__(self, *, monotonic: Callable[[], float] = elapsed) -> None:
        self._monotonic = monotonic
        self._of_login = FailureLimit(most=FAILURES_PER_LOGIN, window=WINDOW)
        self._of_network = FailureLimit(most=FAILURES_PER_NETWORK, window=WINDOW)
        self._turn = asyncio.Semaphore(_HASHED_AT_ONCE)

    def check(self, login: str, remote: str) -> None:
        """Raise a 429 where there were too many failures."""
        now, network = self._monotonic(), network_of(remote)
        wait = max(self._of_login.wait(login, now), self._of_network.wait(network, now))
        if wait > 0:
            raise ProblemError(429, headers={"Retry-After": str(math.ceil(wait))})

    def note(self, login: str, remote: str) -> None:
        """Count a failure."""
        now = self._monotonic()
        self._of_login.note(login, now)
        self._of_network.note(network_of(remote), now)

    async def opens(self, held: Held | None, password: str, login: str, remote: str) -> bool:
        """Tell whether the password lets this user in; for nobody it takes as long.

        A failure is counted. Raises a 429 where there were too many, however many ask at once.
        """
        async with self._turn:
            self.check(login, remote)
            kept = held.password_hash if held else NOBODYS
            right = await asyncio.to_thread(is_right, password, kept)
            if right and held is not None and held.user.disabled_at is None:
                return True
            self.note(login, remote)
            return False

    async def hashed(self, password: str) -> str:
        """Return what is kept of a new password."""
        async with self._turn:
            return await asyncio.to_thread(hash_password, password)
