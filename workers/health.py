"""How providers do: seen by each worker, added up in the ledger, judged by one worker for all.

What a turn needs to know is kept here and is at most a second old, so that choosing who sends costs
no query.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic

from channels import AnyChannel, Providers
from kentongan.circuit import Circuit, is_answer, is_error, is_failing
from kentongan.clock import SECOND
from kentongan.outcome import Outcome, Reason
from kentongan.weights import ERROR_WINDOW, SLOW_WINDOW, Seen, Shares, moved
from ledger import providers, senders, tallies
from ledger.engine import Ledger
from ledger.providers import Standing, Who
from ledger.tallies import Tally

log = logging.getLogger(__name__)

#: Seconds between two sayings that our providers are in our settings.
_REGISTER_EVERY = 10.0
#: Seconds between two looks at how late receipts are: it walks over attempts. A look that takes
#: long makes the next one wait ten times as long.
_SLOW_EVERY = 60.0
#: Seconds between two sayings that a channel has nobody left to send.
_SAY_EVERY = 60.0


class Health:
    """What this worker knows of all providers and senders."""

    def __init__(self) -> None:
        self._seen: dict[Who, Tally] = {}
        self._standings: Mapping[Who, Standing] = {}
        self._aside: frozenset[tuple[str, str, str]] = frozenset()
        self._registered_at = -_REGISTER_EVERY
        #: Senders without pace left, until a monotonic instant.
        self.dry_until: dict[str, float] = {}
        #: Channels on which people wrote to us, and so to one of our senders.
        self.talks: frozenset[str] = frozenset()

    def saw(self, channel: AnyChannel, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes for or against a provider."""
        who, handed, errors = who_is(channel), 0, 0
        for outcome in outcomes:
            handed += is_answer(outcome)
            errors += is_error(outcome)
        if handed or errors:
            was = self._seen.get(who, Tally())
            self._seen[who] = Tally(was.handed + handed, was.errors + errors)

    def standing(self, channel: AnyChannel) -> Standing | None:
        return self._standings.get(who_is(channel))

    def circuit(self, channel: AnyChannel) -> Circuit:
        stands = self.standing(channel)
        return stands.circuit if stands else Circuit.CLOSED

    def shares(self, some: Sequence[AnyChannel], resting: Shares) -> Shares:
        """Return the present shares of a channel's providers."""
        return shares_of(self._standings, some, resting)

    def is_aside(self, channel: AnyChannel, sender: str) -> bool:
        return (channel.channel, channel.provider, sender) in self._aside

    async def refresh(self, ledger: Ledger, *sides: Providers) -> None:
        """Tell the ledger what was seen, and learn what all have seen. Raises `LedgerAwayError`."""
        registers = monotonic() - self._registered_at > _REGISTER_EVERY
        if self._seen or registers:
            seen, self._seen = self._seen, {}
            async with ledger.write() as db:
                await tallies.add(db, seen)
                if registers:
                    every = [who_is(channel) for side in sides for channel in side.every()]
                    await providers.register(db, sorted(every))
                    self._registered_at = monotonic()
        names = sorted({name for side in sides for name in side})
        async with ledger.read() as db:
            found = await providers.standings(db)
            aside = await senders.aside(db)
            self.talks = await senders.any_talks(db, names)
        self._standings = {one.who: one for one in found}
        self._aside = frozenset((one.channel, one.provider, one.sender) for one in aside)


def who_is(channel: AnyChannel) -> Who:
    """Return a provider as the ledger knows it."""
    return channel.channel, channel.provider


def shares_of(
    standings: Mapping[Who, Standing], some: Sequence[AnyChannel], resting: Shares
) -> Shares:
    """Return the shares as they were last written, or at rest where they do not fit any more."""
    known = {one.provider: standings.get(who_is(one)) for one in some}
    shares = {name: stands.share for name, stands in known.items() if stands}
    written = {name: share for name, share in shares.items() if share is not None}
    fits = set(written) == set(resting) and sum(written.values()) == sum(resting.values())
    return written if fits else resting


class Judge:
    """The leader's judgement: it opens circuits and moves shares, for all workers."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._look_at = 0.0
        self._said_at: dict[str, float] = {}

    async def judge(self, *sides: Providers) -> None:
        """Look at what all providers did lately. Raises `LedgerAwayError`."""
        if monotonic() >= self._look_at:
            await self._measure_slowness()
        async with self._ledger.read() as db:
            standings = {one.who: one for one in await providers.standings(db)}
            lately = await tallies.lately(db)
        for side in sides:
            for channel in side:
                some = [one for one in side.of(channel) if one.has_one_provider]
                await self._open_circuits(some, standings, lately)
                if len(some) > 1:
                    await self._move(some, side.shares(channel), standings, lately)
                self._say_if_all_fail(channel, some, standings)

    async def _measure_slowness(self) -> None:
        began = monotonic()
        since = int((time.time() - SLOW_WINDOW) * 1000)
        async with self._ledger.read() as db:
            found = await tallies.slow(db, since)
            known = [one.who for one in await providers.standings(db)]
        async with self._ledger.write() as db:
            await providers.note_slowness(db, {who: found.get(who, False) for who in known})
            await tallies.forget(db)
            await senders.forget_days(db)
        self._look_at = monotonic() + max(_SLOW_EVERY, 10 * (monotonic() - began))

    async def _open_circuits(
        self,
        some: Sequence[AnyChannel],
        standings: Mapping[Who, Standing],
        lately: Mapping[Who, Tally],
    ) -> None:
        for one in some:
            tally, stands = lately.get(who_is(one), Tally()), standings.get(who_is(one))
            is_open = stands is not None and stands.circuit is not Circuit.CLOSED
            if is_open or not is_failing(errors=tally.errors, handed=tally.handed):
                continue
            said = f"{tally.errors} errors in {ERROR_WINDOW:.0f} s, and nothing handed over"
            async with self._ledger.write() as db:
                opened = await providers.open_circuit(
                    db, who_is(one), reason=Reason.PROVIDER_TROUBLE, detail=said
                )
            if opened:
                log.error("provider set aside", extra=_extra(one) | {"why": said})

    async def _move(
        self,
        some: Sequence[AnyChannel],
        resting: Shares,
        standings: Mapping[Who, Standing],
        lately: Mapping[Who, Tally],
    ) -> None:
        now = await self._ledger.now()
        known = {one.provider: standings.get(who_is(one)) for one in some}
        last = max((s.moved_at for s in known.values() if s and s.moved_at), default=None)
        quiet = float("inf") if last is None else (now - last) / SECOND
        seen = {
            one.provider: Seen(
                errors=lately.get(who_is(one), Tally()).errors,
                is_slow=bool((stands := known[one.provider]) and stands.slow),
            )
            for one in some
        }
        before = shares_of(standings, some, resting)
        after = moved(before, resting, seen, quiet=quiet)
        if after == before:
            return
        async with self._ledger.write() as db:
            await providers.move(db, some[0].channel, after)
        log.warning("shares moved", extra={"channel": some[0].channel, "shares": dict(after)})

    def _say_if_all_fail(
        self, channel: str, some: Sequence[AnyChannel], standings: Mapping[Who, Standing]
    ) -> None:
        found = [standings.get(who_is(one)) for one in some]
        if not found or any(s is None or s.circuit is Circuit.CLOSED for s in found):
            return
        if monotonic() - self._said_at.get(channel, -_SAY_EVERY) >= _SAY_EVERY:
            self._said_at[channel] = monotonic()
            log.error("all providers of a channel fail", extra={"channel": channel})


def _extra(channel: AnyChannel) -> dict[str, object]:
    return {"channel": channel.channel, "provider": channel.provider}
