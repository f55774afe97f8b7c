"""Connections to one relay: kept for the next letter, and never more than so many.

Letters that are urgent find a quarter of the connections free of routine ones.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from time import monotonic

from channels._shared.smtp import Conversation
from channels._shared.smtp_place import Place
from channels._shared.smtp_relay import NoConnectionError
from channels._shared.smtp_slots import Slots
from kentongan.outcome import Deferred, Reason

#: How long a farewell may take when the process ends.
_FAREWELL = 1.0
#: Seconds without letters that follow each other, once a relay has ended a connection under one.
_ALONE_FOR = 30.0
_NONE_IN_TIME = Deferred(Reason.NO_CONNECTION, "no connection to the relay in time")


#: Seconds that a letter waits for those before it, once it has its place behind them.
_BEHIND_FOR = 1.0


class StrandedError(Exception):
    """The letter before took the connection with it, or its time; nothing was handed over."""


class Pool:
    """Hands out places on at most `size` conversations at once; the last one used is used first.

    Whoever finds no slot free may follow another letter of their lane; else they wait, and are
    served in the order they came, the urgent before all others. A conversation ends after
    `messages` letters, `age` seconds, or `idle` seconds without any: relays close what is older or
    idle, and a letter should not be what finds that out.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Conversation]],
        *,
        size: int,
        messages: int = 100,
        age: float = 300,
        idle: float = 20,
    ) -> None:
        self._connect = connect
        self._messages, self._age, self._idle_for = messages, age, idle
        self._slots = Slots[Place](size, taken_back=self.give_back)
        self._idle: list[Conversation] = []
        self._in_use: set[Conversation] = set()
        #: Places that others may follow, by lane; a dict for its order.
        self._open_ends: dict[bool, dict[Place, None]] = {True: {}, False: {}}
        self._alone_until = 0.0
        self._followers: dict[Place, None] = {}
        self._patrolling: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take_now(self, *, urgent: bool, ends: float) -> Place | None:
        """Return a place if there is one at once, however late it is; see `take`."""
        if not self._slots.take_now(urgent=urgent):
            return self._follow(urgent=urgent, ends=ends)
        talk = self._fresh()
        if talk is not None:
            return self._first(talk, urgent=urgent, ends=ends)
        self._slots.free(urgent=urgent)
        return None

    async def take(self, *, urgent: bool, ends: float) -> Place:
        """Return a place on a conversation, until the monotonic time `ends` at the latest.

        `give_back` is owed for it. Raises `NoConnectionError` where none is free in time and no new
        one can be made.
        """
        if monotonic() >= ends:
            raise NoConnectionError(_NONE_IN_TIME)
        found = self.take_now(urgent=urgent, ends=ends)
        if found is not None:
            return found
        has_slot = self._slots.take_now(urgent=urgent)
        later = await self._take_later(urgent=urgent, has_slot=has_slot, ends=ends)
        if isinstance(later, Place):
            later.ends = ends
            return later
        return self._first(later, urgent=urgent, ends=ends)

    def _first(self, talk: Conversation, *, urgent: bool, ends: float) -> Place:
        self._in_use.add(talk)
        place = Place(talk, urgent=urgent, ends=ends)
        self._offer(place)
        return place

    def give_back(self, place: Place) -> None:
        """Let the next letter go on, or keep the conversation for another, or end it."""
        self._open_ends[place.urgent].pop(place, None)
        self._followers.pop(place, None)
        staying = place.leave()
        if staying is not None:
            self._offer(staying.last)
            return
        talk = place.talk
        self._in_use.discard(talk)
        self._slots.free(urgent=place.urgent)
        now = monotonic()
        if talk.letters >= self._messages or now - talk.made > self._age or self._is_closed:
            talk.quit()
        elif talk.is_idle:
            talk.idle_since = now
            self._idle.append(talk)
            if self._sweeping is None:
                self._sweep_later()
        else:
            talk.abort()

    def _offer(self, place: Place) -> None:
        """Give the place behind this one to the first that waits, or keep it in mind."""
        if not self._may_be_followed(place):
            return
        if not self._slots.hand(lambda: self._behind(place), urgent=place.urgent):
            self._open_ends[place.urgent][place] = None

    def stranded(self, place: Place) -> None:
        """Let no letter follow another for a while, since one was stranded in this place.

        The relay ends connections behind letters, or is so slow that each is better off by itself.
        Unless it was us who cut the connection.
        """
        if place.talk.was_cut:
            return
        self._alone_until = monotonic() + _ALONE_FOR

    def abort(self) -> None:
        """Cut every conversation that carries a letter; what is buffered never leaves."""
        for talk in self._in_use:
            talk.abort()

    async def close(self) -> None:
        """End the idle conversations now, those in use when they come back."""
        self._is_closed = True
        for timer in (self._sweeping, self._patrolling):
            if timer is not None:
                timer.cancel()
        leaving = self._idle.copy()
        self._idle.clear()
        for talk in leaving:
            talk.quit()
        if leaving:
            await asyncio.wait([talk.lost for talk in leaving], timeout=_FAREWELL)
        for talk in leaving:
            talk.abort()

    def _follow(self, *, urgent: bool, ends: float) -> Place | None:
        """Return the place behind the letter that opened first, unless somebody waits before us."""
        open_ends = self._open_ends[urgent]
        while open_ends and not self._slots.is_wanted(urgent=urgent):
            end = next(iter(open_ends))
            del open_ends[end]
            if self._may_be_followed(end):
                return self._behind(end, ends)
        return None

    def _behind(self, place: Place, ends: float = math.inf) -> Place:
        follower = Place(place.talk, urgent=place.urgent, ends=ends, before=place)
        self._followers[follower] = None
        if self._patrolling is None:
            self._patrolling = asyncio.get_running_loop().call_later(_BEHIND_FOR, self._patrol)
        self._offer(follower)
        return follower

    def _patrol(self) -> None:
        """Strand those that have waited behind another for too long, seconds if it hangs."""
        now = monotonic()
        self._patrolling, left = None, []
        for place in list(self._followers):
            if place.is_first:
                del self._followers[place]
            elif not place.is_held_up:  # by the relay: they are at the gate, all of them
                left.append(_BEHIND_FOR)
            elif now - place.since < _BEHIND_FOR:
                left.append(place.since + _BEHIND_FOR - now)
            else:
                del self._followers[place]
                place.strand()
        if left:
            loop = asyncio.get_running_loop()
            self._patrolling = loop.call_later(min(left), self._patrol)

    def _may_be_followed(self, place: Place) -> bool:
        talk, now = place.talk, monotonic()
        if not place.has_room_behind or "pipelining" not in talk.extensions:
            return False
        serves = talk.is_open and talk.letters < self._messages and now - talk.made <= self._age
        return serves and now >= self._alone_until and not self._is_closed

    async def _take_later(
        self, *, urgent: bool, has_slot: bool, ends: float
    ) -> Conversation | Place:
        try:
            async with asyncio.timeout_at(ends):
                if not has_slot:
                    place = await self._slots.take(urgent=urgent)
                    if place is not None:
                        return place
                    has_slot = True
                return self._fresh() or await self._connect()
        except BaseException as error:
            if has_slot:
                self._slots.free(urgent=urgent)
            if isinstance(error, TimeoutError):
                raise NoConnectionError(_NONE_IN_TIME) from None
            raise

    def _fresh(self) -> Conversation | None:
        """Return the last one used that still serves; those that do not are ended."""
        now = monotonic()
        while self._idle:
            talk = self._idle.pop()
            if self._serves(talk, now):
                return talk
            talk.quit()
        return None

    def _sweep_later(self) -> None:
        # The first of those that are idle has been so for longest.
        left = self._idle[0].idle_since + self._idle_for - monotonic()
        self._sweeping = asyncio.get_running_loop().call_later(left, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        now = monotonic()
        serving = [talk for talk in self._idle if self._serves(talk, now)]
        for talk in set(self._idle).difference(serving):
            talk.quit()
        self._idle = serving
        if serving:
            self._sweep_later()

    def _serves(self, talk: Conversation, now: float) -> bool:
        young = now - talk.made <= self._age and now - talk.idle_since < self._idle_for
        return young and talk.is_idle
