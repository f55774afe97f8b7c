"""What one worker does for all: chain the audit, finish imports, forget what is over, probe."""

import asyncio
import logging
from time import monotonic

from kentongan.channel import CannotAskError
from ledger import (
    audit,
    cap_usage,
    housekeeping,
    idempotency,
    imports,
    leases,
    providers,
    senders,
    sessions,
)
from ledger.providers import Who
from workers.health import Judge, who_is
from workers.runtime import Runtime
from workers.spend_watch import SpendWatch

log = logging.getLogger(__name__)

#: Seconds between two sayings of the audit's head, and between two cleanings.
HEAD_EVERY = 60.0
CLEAN_EVERY = 10.0
#: Seconds that a probe may take.
_PATIENCE = 12.0


class Leading:
    """The leader's work: whichever worker holds the lease does it, one at a time."""

    def __init__(self, run: Runtime) -> None:
        self._run = run
        self._health = Judge(run.ledger)
        self._said_at = -HEAD_EVERY
        self._cleaned_at = -CLEAN_EVERY
        self._spending = SpendWatch(run.caps)
        #: The incarnation that led last, and when it took or kept the lease.
        self._led_as = ""
        self._led_at = 0.0

    async def once(self) -> None:
        """Do what is due if the lease is ours."""
        run = self._run
        if not await self._leads():
            return
        async with run.ledger.read() as db:
            unlinked = await audit.any_unlinked(db)
        await self._health.judge(run.channels, run.practising)
        if unlinked or monotonic() - self._said_at > HEAD_EVERY:
            await self._chain()
        if monotonic() - self._cleaned_at > CLEAN_EVERY:
            self._cleaned_at = monotonic()
            run.go_on(self._clean())
            await self._watch_spending()

    async def _leads(self) -> bool:
        """Take or keep the lease; what was kept a moment ago needs no write.

        One that was frozen since may find that another leads: what either does is safe twice.
        """
        ledger, mine, now = self._run.ledger, self._run.lease.incarnation, monotonic()
        if self._led_as == mine and now - self._led_at < leases.RENEW_EVERY:
            return True
        async with ledger.read() as db:
            if not await leases.may_lead(db, mine):
                return False
        async with ledger.write() as db:
            if not await leases.lead(db, mine):
                return False
        self._led_as, self._led_at = mine, now
        return True

    async def _chain(self) -> None:
        """Link the audit, and say its head where the database cannot change it: in the log."""
        head = await audit.chain_all(self._run.ledger, self._run.deployment.keyring)
        if monotonic() - self._said_at > HEAD_EVERY:
            self._said_at = monotonic()
            log.info("audit head", extra={"seq": head.seq, "mac": head.mac})

    async def _clean(self) -> None:
        """Finish imports that stand, forget what is over. Beside the lease: it may take long."""
        await imports.finish(self._run.ledger)
        async with self._run.ledger.bulk() as db:
            await idempotency.forget(db)
            await housekeeping.forget_workers(db)
            await sessions.forget(db)

    async def _watch_spending(self) -> None:
        caps = self._run.caps
        if caps.most:
            async with self._run.ledger.read() as db:
                self._spending.look(await cap_usage.standings(db, caps))


async def refresh(run: Runtime) -> None:
    """Learn how all providers stand. Every worker does, a leader or not."""
    await run.health.refresh(run.ledger, run.channels, run.practising)


async def probe(run: Runtime) -> None:
    """Ask providers and senders that are set aside whether they would take messages again."""
    async with run.ledger.read() as db:
        opened = any(one.opened_at is not None for one in await providers.standings(db))
        if not opened and not await senders.aside(db):
            return
    async with run.ledger.write() as db:
        due = await providers.take_probes(db)
        tired = await senders.take_probes(db)
    for who in due:
        if await _is_well(run, who):
            async with run.ledger.write() as db:
                await providers.half_open(db, who)
            log.info("provider is tried again", extra={"channel": who[0], "provider": who[1]})
    for channel, provider, sender in tired:
        # Its provider knows no question about a sender alone: its next message is the question.
        if await _is_well(run, (channel, provider)):
            async with run.ledger.write() as db:
                await senders.bring_back(db, (channel, provider, sender))
            log.info("sender is tried again", extra={"channel": channel, "provider": provider})


async def _is_well(run: Runtime, who: Who) -> bool:
    """Ask a provider; False where it could not be asked, or is not in our settings."""
    every = [*run.channels.every(), *run.practising.every()]
    channel = next((one for one in every if who_is(one) == who), None)
    if channel is None:
        return False
    try:
        async with asyncio.timeout(_PATIENCE):
            await channel.probe()
    except (CannotAskError, TimeoutError) as error:
        said = {"channel": who[0], "provider": who[1], "why": str(error)}
        log.warning("provider stays set aside", extra=said)
        return False
    return True
