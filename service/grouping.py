"""Small writes that come within three milliseconds are done in one transaction.

One durable transaction each would wait for the disk each, and cost the processor several times as
much.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ledger.engine import Db, Ledger, LedgerAwayError

#: Seconds that the first of a group waits for others, and again while more of them come.
TOGETHER = 0.003
#: So often at most: a crowd is served in fewer and larger groups, nobody waits much longer.
ROUNDS = 4
#: As many within `TOGETHER` are a crowd.
CROWD = 3
#: Writes in one transaction.
MOST = 200

NewT = TypeVar("NewT")
DoneT = TypeVar("DoneT")


@dataclass(slots=True)
class _Member(Generic[NewT, DoneT]):
    new: NewT
    done: "asyncio.Future[DoneT]"
    since: float


@dataclass(slots=True)
class Group(Generic[NewT, DoneT]):
    """What waits to be written by this process.

    `write` does all of a group in the transaction that it is given, and returns what became of
    each, in order. `alone` says what becomes of each of a group that failed for another reason
    than the ledger's: one that cannot be written takes no other with it.
    """

    write: Callable[[Db, Sequence[NewT]], Awaitable[Sequence[DoneT]]]
    alone: Callable[[Ledger, NewT], Awaitable[DoneT]]
    _under_way: "list[_Member[NewT, DoneT]]" = field(default_factory=list)
    _waiting: "list[_Member[NewT, DoneT]]" = field(default_factory=list)
    _writing: "asyncio.Task[None] | None" = None

    async def join(self, ledger: Ledger, new: NewT) -> DoneT:
        """Have `new` written with others; it is committed when this returns.

        Raises `LedgerAwayError`, and then nothing of it was done.
        """
        done: asyncio.Future[DoneT] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Member(new, done, time.monotonic()))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(ledger))
        return await done

    def lag(self) -> float:
        """Return for how many seconds the first of those who wait has been waiting."""
        first = next(iter(self._under_way or self._waiting), None)
        return time.monotonic() - first.since if first else 0.0

    async def _write_all(self, ledger: Ledger) -> None:
        try:
            while self._waiting:
                await self._gather()
                group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                self._under_way = group
                await self._write_group(ledger, group)
                self._under_way = []
        finally:
            self._under_way, self._writing = [], None

    async def _gather(self) -> None:
        """Wait for others, as long as they keep coming."""
        for _ in range(ROUNDS):
            before = len(self._waiting)
            await asyncio.sleep(TOGETHER)
            came = len(self._waiting) - before
            if came < CROWD or len(self._waiting) >= MOST:
                return

    async def _write_group(self, ledger: Ledger, group: "list[_Member[NewT, DoneT]]") -> None:
        try:
            async with ledger.write() as db:
                done = await self.write(db, [member.new for member in group])
        except LedgerAwayError as error:
            # Those behind would wait as long once more; they are told at once.
            behind, self._waiting = self._waiting, []
            for member in (*group, *behind):
                _tell(member, error)
        except Exception:  # noqa: BLE001 - whoever it came from hears of it below, and nobody else
            await asyncio.gather(*(self._write_alone(ledger, member) for member in group))
        else:
            for member, one in zip(group, done, strict=True):
                if not member.done.done():
                    member.done.set_result(one)

    async def _write_alone(self, ledger: Ledger, member: "_Member[NewT, DoneT]") -> None:
        try:
            one = await self.alone(ledger, member.new)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it; who gets nothing hangs
            _tell(member, error)
        else:
            if not member.done.done():
                member.done.set_result(one)


def _tell(member: "_Member[NewT, DoneT]", error: Exception) -> None:
    if not member.done.done():
        member.done.set_exception(error)
