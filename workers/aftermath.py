"""What outcomes teach beyond their own delivery: opt-outs, dead receivers, trouble of ours."""

import logging
from collections.abc import Sequence

from channels import AnyChannel
from kentongan.alert import Alert, Mode
from kentongan.outcome import (
    ACCOUNT_FAULTS,
    DESTINATION_FAULTS,
    SENDER_FAULTS,
    Accepted,
    Deferred,
    Outcome,
    Reason,
    Refused,
)
from ledger import health, points, suppressions
from ledger.claims import Claimed
from ledger.engine import LedgerAwayError, read_now
from workers.runtime import Runtime

log = logging.getLogger(__name__)

#: Senders that have had a fault since this process last saw them succeed; saves a write a window.
_troubled: set[tuple[str, str]] = set()
#: Countries and domains that we have warned about.
_warned: set[tuple[str, str]] = set()


async def look_after(
    run: Runtime,
    alert: Alert,
    channel: AnyChannel,
    results: Sequence[tuple[Claimed, Outcome]],
) -> None:
    """Draw the conclusions of one window; what is missed while the ledger is away comes again."""
    try:
        if alert.mode is not Mode.TEST:  # the simulator's word says nothing of real people
            await _learn_of_points(run, channel, results)
        await _learn_of_provider(run, channel, [outcome for _, outcome in results])
    except LedgerAwayError as error:
        log.warning("not learned from", extra={"alert": alert.id, "why": str(error)})
    _warn_of_destinations(channel, results)


async def _learn_of_points(
    run: Runtime, channel: AnyChannel, results: Sequence[tuple[Claimed, Outcome]]
) -> None:
    refused = [(c.address, o.reason) for c, o in results if isinstance(o, Refused)]
    opted_out = [address for address, reason in refused if reason is Reason.OPTED_OUT]
    gone = [address for address, reason in refused if reason is Reason.GONE]
    if not opted_out and not gone:
        return
    async with run.ledger.write() as db:
        now = await read_now(db)
        for address in opted_out:
            await suppressions.suppress(
                db, channel.name, address, reason="opted_out", made_by="provider", now=now
            )
        for address in gone:
            await points.disable(db, channel.name, address, reason=Reason.GONE, now=now)


async def _learn_of_provider(
    run: Runtime, channel: AnyChannel, outcomes: Sequence[Outcome]
) -> None:
    who = (channel.name, channel.sender)
    faults = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, Deferred | Refused)
        and outcome.reason in ACCOUNT_FAULTS | SENDER_FAULTS
    ]
    if faults:
        _troubled.add(who)
        last = faults[-1]
        of_sender = last.reason in SENDER_FAULTS
        async with run.ledger.write() as db:
            stopped = await health.note_faults(
                db,
                *who,
                faults=health.FAULTS_TO_STOP if of_sender else len(faults),
                reason=last.reason,
                detail=last.detail,
            )
        if stopped:
            log.error("sender set aside", extra={"channel": who[0], "reason": last.reason})
    elif who in _troubled and any(isinstance(outcome, Accepted) for outcome in outcomes):
        async with run.ledger.write() as db:
            await health.note_success(db, *who)
        _troubled.discard(who)


def _warn_of_destinations(channel: AnyChannel, results: Sequence[tuple[Claimed, Outcome]]) -> None:
    """Warn once for each country or domain that takes nothing from us."""
    for claimed, outcome in results:
        if not isinstance(outcome, Refused) or outcome.reason not in DESTINATION_FAULTS:
            continue
        where = claimed.address.rpartition("@")[2] if "@" in claimed.address else "number"
        place = (channel.name, where if "@" in claimed.address else claimed.address[:4])
        if place not in _warned:
            _warned.add(place)
            log.warning("destination refuses us", extra={"channel": channel.name, "at": place[1]})
