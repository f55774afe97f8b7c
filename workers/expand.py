"""The job that turns an audience into people and deliveries, page by page."""

import logging
from contextlib import suppress
from time import monotonic

from kentongan.alert import Alert, Control, Lane
from kentongan.expansion import Stage, expand, next_stage
from ledger import alerts, audiences, expansion, leases, starts
from ledger.engine import Db, LedgerAwayError
from ledger.expansion import PageRunTwiceError, Progress
from ledger.starts import Start
from workers.queue import QUEUE_AWAY
from workers.runtime import JobContext, Runtime, Showing
from workers.turn import width_for

log = logging.getLogger(__name__)

#: People a page: on SQLite a page holds the write lock under 20 ms.
PAGE = 500
#: Seconds between two looks at what an expansion waits for: a stopped original that still has an
#: attempt open, or another expansion that workers died of.
_LOOK_AGAIN = 0.25
#: Seconds after which a job gives way to others and rings itself.
_GIVE_WAY = 5.0


async def expand_alert(ctx: JobContext, alert_id: str) -> None:
    """Expand one alert. Safe to run twice, and by two workers: its cursor moves once a page."""
    run = ctx["runtime"]
    wait = await expand_some(run, alert_id)
    if wait is not None:
        await run.queue.ring_alert(alert_id, ctx["lane"], wait)


async def expand_some(run: Runtime, alert_id: str) -> float | None:
    """Write pages for a while; return seconds until it is worth going on, None at the end."""
    async with run.ledger.read() as db:
        look = await starts.look(db, alert_id)
    if look.is_aside:
        return None
    if not look.is_noted:
        return await _expand_some(run, alert_id)
    worker = run.lease.incarnation
    async with run.ledger.write() as db:
        start = await starts.begin(db, alert_id, worker)
    if start is Start.WAITS:
        return _LOOK_AGAIN
    if start is Start.ASIDE:
        log.error("expansion set aside: workers died of it", extra={"alert": alert_id})
        return None
    try:
        return await _expand_some(run, alert_id)
    finally:
        # Without the ledger the start stays noted; while we live, it is held against nobody.
        with suppress(LedgerAwayError):
            async with run.ledger.write() as db:
                await starts.end(db, alert_id, worker)


async def _expand_some(run: Runtime, alert_id: str) -> float | None:
    showing = await run.showing(alert_id)
    until = monotonic() + _GIVE_WAY
    while monotonic() < until:
        async with run.ledger.read() as db:
            was = await expansion.progress(db, alert_id)
            alert = await alerts.get(db, alert_id)
            if was is None or alert is None or was.stage is Stage.DONE:
                return None
            if alert.control is Control.STOPPED:
                return None
            if not was.due and not await _may_start_early(db, alert):
                return _LOOK_AGAIN if alert.corrects else None
        try:
            await _write_page(run, showing, was)
        except PageRunTwiceError:
            log.info("page was written by another", extra={"alert": alert_id})
            return None
        await _ring_turns(run, showing)
    return 0


async def _may_start_early(db: Db, alert: Alert) -> bool:
    """A correction waits for the attempts that its stopped original still has open."""
    return alert.corrects is not None and await expansion.is_original_quiet(db, alert.corrects)


async def _write_page(run: Runtime, showing: Showing, was: Progress) -> None:
    alert = showing.alert
    async with run.ledger.read() as db:
        members, cursor = await audiences.members(db, alert, was.stage, was.cursor, PAGE)
        points = sorted({point for member in members for point in member.points})
        known = await expansion.known(db, alert.id, points) if points else {}
        barred = await expansion.barred(db, points) if points else set()
    page = expand(
        members,
        alert,
        fallback_locale=run.deployment.locale,
        units=_units(run, showing),
        suppressed=barred,
        known=known,
    )
    stage = was.stage if cursor else next_stage(was.stage)
    async with run.ledger.bulk(urgent=alert.lane is Lane.FLASH) as db:
        await expansion.write_page(db, alert.id, was=was, page=page, stage=stage, cursor=cursor)


def _units(run: Runtime, showing: Showing) -> dict[tuple[str, str], int]:
    """Return the pace that a message takes, by channel and locale."""
    found: dict[tuple[str, str], int] = {}
    for name in showing.alert.channels:
        channel = run.channel(showing.alert.mode, name)
        for locale in showing.alert.words:
            # A channel that was taken out since: its deliveries wait, visible, until it is back.
            found[name, locale] = showing.units(channel, locale) if channel else 1
    return found


async def _ring_turns(run: Runtime, showing: Showing) -> None:
    """Ring for what the page added, before the next page is read."""
    alert = showing.alert
    async with run.ledger.read() as db:
        workers = await leases.living(db)
    try:
        for name in alert.channels:
            some = run.providers(alert.mode).of(name)
            if some:
                width = width_for(some, workers)
                await run.queue.ring_turn(alert.id, name, alert.lane, width)
    except QUEUE_AWAY:
        log.info("queue is away; the sweep will ring", extra={"alert": alert.id})
