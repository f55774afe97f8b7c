"""What a job may reach for. Built once when a worker starts, closed when it stops."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypedDict

from channels import AnyChannel, Providers
from kentongan.alert import Alert, Lane, Mode
from kentongan.caps import Caps
from kentongan.deployment import Deployment
from kentongan.settings import Settings
from ledger import alerts
from ledger.engine import Ledger
from templates.wording import wording_of
from workers.gate import Gatekeeper
from workers.health import Health
from workers.landing import Landing
from workers.lease import Lease
from workers.metrics import Metrics
from workers.pace import LocalPace, Paces
from workers.queue import Queue
from workers.slots import Line, Slots

log = logging.getLogger(__name__)

#: Alerts whose prepared messages are kept; an alert at work is asked for again and again.
_KEPT = 64


class UnknownAlertError(LookupError):
    """A job names an alert that the ledger does not have: it was made for another ledger."""


@dataclass(frozen=True, slots=True)
class Showing:
    """An alert, and its messages as prepared, by (channel, provider, locale)."""

    alert: Alert
    prepared: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def message(self, channel: AnyChannel, locale: str) -> Any:
        """Return the message in a locale; made at the first asking, the same for everyone."""
        key = (channel.channel, channel.provider, locale)
        found = self.prepared.get(key)
        if found is None:
            found = channel.prepare(wording_of(self.alert, channel.channel, locale))
            self.prepared[key] = found
        return found

    def units(self, channel: AnyChannel, locale: str) -> int:
        return channel.units(self.message(channel, locale))

    def cost(self, channel: AnyChannel) -> int:
        """Return the most units that a message takes in any of the alert's locales."""
        return max(self.units(channel, locale) for locale in self.alert.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The parts, already put together. `practising` are the channels of mode `test`."""

    ledger: Ledger
    queue: Queue
    channels: Providers
    practising: Providers
    deployment: Deployment
    settings: Settings
    lease: Lease
    gatekeeper: Gatekeeper
    paces: Paces
    local_pace: LocalPace
    slots: Mapping[Lane, Slots]
    #: Where outcomes are written from, by lane.
    landings: Mapping[Lane, Landing] = field(
        default_factory=lambda: {lane: Landing(urgent=lane is Lane.FLASH) for lane in Lane}
    )
    caps: Caps = field(default_factory=Caps)
    health: Health = field(default_factory=Health)
    metrics: Metrics = field(default_factory=Metrics)
    showings: OrderedDict[str, Showing] = field(default_factory=OrderedDict)
    #: Tasks that nobody awaits; kept, since the loop itself holds them only weakly. `flights` are
    #: windows on their way: a worker that stops gives them time, and ends the rest at once.
    flights: set[asyncio.Task[object]] = field(default_factory=set)
    background: set[asyncio.Task[object]] = field(default_factory=set)

    def fly(self, work: Coroutine[Any, Any, object]) -> "asyncio.Task[object]":
        """Let a window fly beside what comes next."""
        return _kept(work, self.flights)

    def go_on(self, work: Coroutine[Any, Any, object]) -> None:
        """Let `work` go on beside what comes next; `workers.main` ends it when the worker stops."""
        _ = _kept(work, self.background)

    def line(self, channel: AnyChannel, lane: Lane) -> Line:
        """Return where the sends of a lane through a provider wait for their slots.

        Routine sends leave a quarter of what the provider takes at once to flash ones, which then
        find a connection free.
        """
        at_once = channel.concurrency
        if at_once is not None and lane is Lane.ROUTINE:
            at_once -= at_once // 4
        return self.slots[lane].line(channel, at_once)

    def overtaking(self, lane: Lane) -> AbstractContextManager[None]:
        """Have routine sends stand aside for a job of the flash lane."""
        if lane is Lane.FLASH:
            return self.slots[Lane.ROUTINE].standing_aside()
        return nullcontext()

    def channel(self, mode: Mode, name: str) -> AnyChannel | None:
        """Return the channel that carries `mode`, as its first provider has it; None without one.

        That one speaks for the channel; who sends is chosen by each window.
        """
        return self.providers(mode).get(name)

    def provider(self, mode: Mode, channel: str, name: str) -> AnyChannel | None:
        """Return who took an attempt, None where they are gone from the settings."""
        return self.providers(mode).one(channel, name)

    def providers(self, mode: Mode) -> Providers:
        """Return the providers of all channels for a mode."""
        return self.practising if mode is Mode.TEST else self.channels

    async def showing(self, alert_id: str) -> Showing:
        """Return an alert with its messages. What was accepted never changes, so it is kept."""
        found = self.showings.get(alert_id)
        if found is None:
            async with self.ledger.read() as db:
                alert = await alerts.get(db, alert_id)
            if alert is None:
                raise UnknownAlertError(alert_id)
            found = self.showings.setdefault(alert_id, Showing(alert))
            if len(self.showings) > _KEPT:
                self.showings.popitem(last=False)
        self.showings.move_to_end(alert_id)
        return found


def _kept(
    work: Coroutine[Any, Any, object], tasks: set[asyncio.Task[object]]
) -> "asyncio.Task[object]":
    def ended(task: "asyncio.Task[object]") -> None:
        tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()):
            log.error("background work failed", exc_info=bug)

    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(ended)
    return task


class JobContext(TypedDict):
    """The dictionary that arq passes to every job."""

    runtime: Runtime
    lane: Lane
