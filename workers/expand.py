"""The job that turns an audience into people and deliveries, page by page."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from time import monotonic

from kentongan.alert import Alert, Control, Lane
from kentongan.expansion import Point, Stage, expand, next_stage, stage_at_work
from kentongan.ids import DeliveryId
from ledger import audiences, expansion, leases, starts
from ledger.audiences import Page
from ledger.engine import Db, LedgerAwayError
from ledger.expansion import PageRunTwiceError, PointTwiceError, Progress
from ledger.starts import Start
from workers.queue import QUEUE_AWAY
from workers.runtime import JobContext, Runtime, Showing
from workers.turn import width_for

log = logging.getLogger(__name__)

#: People of a first page; the next are as large as it took well to write.
PAGE = 500
#: Seconds between two looks at what an expansion waits for: a stopped original that still has an
#: attempt open, or another expansion that workers died of.
_LOOK_AGAIN = 0.25
#: Seconds after which a job gives way to others and rings itself.
_GIVE_WAY = 5.0
#: Seconds between two rings for what was added; turns go on by themselves while there is more.
_RING_EVERY = 0.25


async def expand_alert(ctx: JobContext, alert_id: str) -> None:
    """Expand one alert. Safe to run twice, and by two workers: its cursor moves once a page."""
    run = ctx["runtime"]
    with run.overtaking(ctx["lane"]):
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
    async with run.ledger.read() as db:
        was = await expansion.progress(db, alert_id)
        if was is None or was.stage is Stage.DONE or was.control is Control.STOPPED:
            return None
        if not was.due and not await _may_start_early(db, showing.alert):
            return _LOOK_AGAIN if showing.alert.corrects else None
    pages = _Pages(run, showing)
    try:
        return await pages.write(was, until=monotonic() + _GIVE_WAY)
    except PageRunTwiceError:
        log.info("page was written by another", extra={"alert": alert_id})
        return None
    finally:
        await pages.close()


async def _may_start_early(db: Db, alert: Alert) -> bool:
    """A correction waits for the attempts that its stopped original still has open."""
    return alert.corrects is not None and await expansion.is_original_quiet(db, alert.corrects)


class _Pages:
    """Writes page after page; while one is written, the next is read."""

    def __init__(self, run: Runtime, showing: Showing) -> None:
        self._run, self._showing, self._alert = run, showing, showing.alert
        self._units = _units(run, showing)
        self._size = PAGE
        self._ahead: asyncio.Task[Page] | None = None
        #: People share addresses across pages: before a page is written, it is asked which.
        self._are_shared = False
        self._rung_at = 0.0

    async def write(self, was: Progress, *, until: float) -> float | None:
        """Write pages until a monotonic instant; return as `expand_some`.

        What stands is known without a look: a page that another wrote, or a stop, is met by the
        guard of `write_page`.
        """
        while True:
            stage = stage_at_work(was.stage, self._alert.audience)
            found = await self._read(stage, was.cursor)
            stands = replace(was, stage=stage, cursor=found.cursor)
            if not found.cursor:
                ended = stage if stage is Stage.DONE else next_stage(stage)
                stands = replace(stands, stage=stage_at_work(ended, self._alert.audience))
            is_last = stands.stage is Stage.DONE or monotonic() > until
            # Who is of an earlier alert is asked for when all others are written down.
            if not is_last and stands.stage is stage is not Stage.OF:
                self._ahead = asyncio.create_task(self._page(stage, stands.cursor))
            control = await self._write_page(was, found, stands)
            is_due = is_last or monotonic() - self._rung_at > _RING_EVERY
            # A turn of a paused alert finds nothing to do, and walks over all that waits for it.
            if is_due and control is Control.ACTIVE:
                await self._ring()
            if is_last:
                return None if stands.stage is Stage.DONE else 0
            was = stands

    async def _read(self, stage: Stage, cursor: str) -> Page:
        ahead, self._ahead = self._ahead, None
        return await (ahead or self._page(stage, cursor))

    async def _page(self, stage: Stage, cursor: str) -> Page:
        async with self._run.ledger.read() as db:
            return await audiences.members(db, self._alert, stage, cursor, self._size)

    async def _write_page(self, was: Progress, found: Page, stands: Progress) -> Control:
        if not self._are_shared:
            try:
                return await self._try_to_write(was, found, stands, {})
            except PointTwiceError:
                self._are_shared = True
        points = sorted({point for member in found.members for point in member.points})
        async with self._run.ledger.read() as db:
            known = await expansion.known(db, self._alert.id, points) if points else {}
        return await self._try_to_write(was, found, stands, known)

    async def _try_to_write(
        self, was: Progress, found: Page, stands: Progress, known: Mapping[Point, DeliveryId]
    ) -> Control:
        page = expand(
            found.members,
            self._alert,
            fallback_locale=self._run.deployment.locale,
            units=self._units,
            suppressed=found.barred,
            known=known,
        )
        async with self._run.ledger.bulk(urgent=self._alert.lane is Lane.FLASH) as db:
            began = monotonic()
            control = await expansion.write_page(
                db, self._alert.id, was=was, page=page, stage=stands.stage, cursor=stands.cursor
            )
            if found.cursor:  # a full page
                took = monotonic() - began
                self._size = expansion.size_after(db, len(found.members), took)
        return control

    async def _ring(self) -> None:
        """Ring for what was added: at once for the first page, then now and again."""
        alert, run = self._alert, self._run
        self._rung_at = monotonic()
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

    async def close(self) -> None:
        """Wait for what is being read ahead, whatever came of it."""
        if self._ahead is not None:
            await asyncio.gather(self._ahead, return_exceptions=True)


def _units(run: Runtime, showing: Showing) -> dict[tuple[str, str], int]:
    """Return the pace that a message takes, by channel and locale."""
    found: dict[tuple[str, str], int] = {}
    for name in showing.alert.channels:
        channel = run.channel(showing.alert.mode, name)
        for locale in showing.alert.words:
            # A channel that was taken out since: its deliveries wait, visible, until it is back.
            found[name, locale] = showing.units(channel, locale) if channel else 1
    return found
