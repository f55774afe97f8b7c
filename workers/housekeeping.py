"""What one worker does for all: chain the audit, finish imports, forget what is over, probe."""

import logging
from time import monotonic

from kentongan.channel import CannotAskError
from ledger import audit, cap_usage, health, housekeeping, idempotency, imports, leases
from workers.runtime import Runtime
from workers.spend_watch import SpendWatch

log = logging.getLogger(__name__)

#: Seconds between two sayings of the audit's head, and between two cleanings.
HEAD_EVERY = 60.0
CLEAN_EVERY = 10.0


class Leading:
    """The leader's work: whichever worker holds the lease does it, one at a time."""

    def __init__(self, run: Runtime) -> None:
        self._run = run
        self._said_at = -HEAD_EVERY
        self._cleaned_at = -CLEAN_EVERY
        self._spending = SpendWatch(run.caps)

    async def once(self) -> None:
        """Do what is due if the lease is ours."""
        run = self._run
        async with run.ledger.read() as db:
            if not await leases.may_lead(db, run.lease.incarnation):
                return
            unlinked = await audit.any_unlinked(db)
        async with run.ledger.write() as db:
            if not await leases.lead(db, run.lease.incarnation):
                return
        if unlinked or monotonic() - self._said_at > HEAD_EVERY:
            await self._chain()
        if monotonic() - self._cleaned_at > CLEAN_EVERY:
            self._cleaned_at = monotonic()
            run.go_on(self._clean())
            await self._watch_spending()

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

    async def _watch_spending(self) -> None:
        caps = self._run.caps
        if caps.most:
            async with self._run.ledger.read() as db:
                self._spending.look(await cap_usage.standings(db, caps))


async def probe(run: Runtime) -> None:
    """Ask the providers of senders that are set aside whether they would take messages again."""
    async with run.ledger.read() as db:
        if not await health.stopped(db):
            return
    async with run.ledger.write() as db:
        due = await health.take_probes(db)
    for name, sender in due:
        candidates = (run.channels.get(name), run.practising.get(name))
        for channel in candidates:
            if channel is None or channel.sender != sender:
                continue
            try:
                await channel.probe()
            except CannotAskError as error:
                log.warning("sender stays set aside", extra={"channel": name, "why": str(error)})
                continue
            async with run.ledger.write() as db:
                await health.note_success(db, name, sender)
            log.info("sender is back", extra={"channel": name})
