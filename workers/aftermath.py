"""What outcomes teach beyond their own delivery: opt-outs, dead receivers, trouble of ours."""

import logging
from collections.abc import Sequence

from channels import AnyChannel
from kentongan.alert import Alert, Mode
from kentongan.circuit import Circuit, is_answer, is_error
from kentongan.outcome import (
    ACCOUNT_FAULTS,
    DESTINATION_FAULTS,
    SENDER_FAULTS,
    Deferred,
    Outcome,
    Reason,
    Refused,
)
from ledger import points, providers, senders, suppressions
from ledger.claims import Claimed
from ledger.engine import LedgerAwayError, read_now
from workers.health import who_is
from workers.runtime import Runtime

log = logging.getLogger(__name__)

#: Providers that had a fault since this process last saw them succeed; saves a write a window.
_troubled: set[tuple[str, str]] = set()
#: Countries and domains that we have warned about.
_warned: set[tuple[str, str]] = set()


async def look_after(
    run: Runtime,
    alert: Alert,
    channel: AnyChannel,
    results: Sequence[tuple[Claimed, Outcome]],
    sender: str = "",
) -> None:
    """Draw the conclusions of one window; what is missed while the ledger is away comes again.

    `sender` is whom of the provider's it went out from, its first where it is empty.
    """
    try:
        if alert.mode is not Mode.TEST:  # the simulator's word says nothing of real people
            await _learn_of_points(run, channel, results)
        await _learn_of_provider(run, channel, sender, [outcome for _, outcome in results])
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
                db, channel.channel, address, reason="opted_out", made_by="provider", now=now
            )
        for address in gone:
            await points.disable(db, channel.channel, address, reason=Reason.GONE, now=now)


async def _learn_of_provider(
    run: Runtime, channel: AnyChannel, sender: str, outcomes: Sequence[Outcome]
) -> None:
    if channel.has_one_provider:
        run.health.saw(channel, outcomes)
    faults = [o for o in outcomes if isinstance(o, Deferred | Refused)]
    of_account = [fault for fault in faults if fault.reason in ACCOUNT_FAULTS]
    of_sender = [fault for fault in faults if fault.reason in SENDER_FAULTS]
    if of_account:
        await _blame_account(run, channel, of_account)
    elif any(is_answer(outcome) for outcome in outcomes):
        await _praise(run, channel)
    elif run.health.circuit(channel) is Circuit.HALF_OPEN and any(map(is_error, outcomes)):
        async with run.ledger.write() as db:
            await providers.reopen(db, who_is(channel))
        log.warning("provider stays set aside", extra=_extra(channel))
    if of_sender:
        await _set_aside(run, channel, sender or channel.sender, of_sender[-1])


async def _blame_account(
    run: Runtime, channel: AnyChannel, faults: Sequence[Deferred | Refused]
) -> None:
    _troubled.add(who_is(channel))
    last = faults[-1]
    async with run.ledger.write() as db:
        opened = await providers.note_faults(
            db, who_is(channel), faults=len(faults), reason=last.reason, detail=last.detail
        )
    if opened:
        log.error("provider set aside", extra=_extra(channel) | {"reason": last.reason})
        await _look_again(run)


async def _praise(run: Runtime, channel: AnyChannel) -> None:
    """Forget a provider's faults; one that was set aside is back."""
    who = who_is(channel)
    if who not in _troubled and run.health.circuit(channel) is Circuit.CLOSED:
        return
    resting = next(side for side in (run.channels, run.practising) if channel in side.every())
    async with run.ledger.write() as db:
        is_back = await providers.close(db, who, resting.shares(channel.channel))
    _troubled.discard(who)
    if is_back:
        log.warning("provider is back", extra=_extra(channel))
        await _look_again(run)


async def _set_aside(
    run: Runtime, channel: AnyChannel, sender: str, fault: Deferred | Refused
) -> None:
    who = (*who_is(channel), sender)
    async with run.ledger.write() as db:
        is_new = await senders.set_aside(db, who, reason=fault.reason, detail=fault.detail)
    if is_new:
        log.error("sender set aside", extra=_extra(channel) | {"reason": fault.reason})
        await _look_again(run)


async def _look_again(run: Runtime) -> None:
    """Learn at once what has changed: the next window would find it out by failing."""
    await run.health.refresh(run.ledger, run.channels, run.practising)


def _extra(channel: AnyChannel) -> dict[str, object]:
    return {"channel": channel.channel, "provider": channel.provider}


def _warn_of_destinations(channel: AnyChannel, results: Sequence[tuple[Claimed, Outcome]]) -> None:
    """Warn once for each country or domain that takes nothing from us."""
    for claimed, outcome in results:
        if not isinstance(outcome, Refused) or outcome.reason not in DESTINATION_FAULTS:
            continue
        where = claimed.address.rpartition("@")[2] if "@" in claimed.address else "number"
        place = (channel.channel, where if "@" in claimed.address else claimed.address[:4])
        if place not in _warned:
            _warned.add(place)
            log.warning(
                "destination refuses us", extra={"channel": channel.channel, "at": place[1]}
            )
