"""What one worker does for all: chain the audit, finish imports, forget what is over, probe."""

import logging

from kentongan.channel import CannotAskError
from ledger import audit, health, housekeeping, idempotency, imports, leases
from workers.runtime import Runtime

log = logging.getLogger(__name__)


async def lead(run: Runtime) -> None:
    """Do the leader's work if the lease is ours: at most one worker does at a time."""
    async with run.ledger.read() as db:
        if not await leases.may_lead(db, run.lease.incarnation):
            return
    async with run.ledger.write() as db:
        leads = await leases.lead(db, run.lease.incarnation)
    if not leads:
        return
    async with run.ledger.bulk() as db:
        await audit.chain(db, run.deployment.keyring)
    await imports.finish(run.ledger)
    async with run.ledger.bulk() as db:
        await idempotency.forget(db)
        await housekeeping.forget_workers(db)


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
