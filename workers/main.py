"""Runs one worker: opens what it needs, serves both lanes until stopped, closes in reverse."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from random import uniform
from time import monotonic
from typing import Any

import channels
from kentongan.alert import Lane
from kentongan.deployment import Deployment
from kentongan.keyring import Keyring
from kentongan.logs import begin_logging
from kentongan.practice import simulator_at
from kentongan.settings import Settings
from ledger.engine import WORKER_PATIENCE, Ledger, LedgerAwayError
from workers.doorbell import DoorbellWorker
from workers.expand import expand_alert
from workers.gate import Gatekeeper
from workers.housekeeping import Leading, probe, refresh
from workers.lease import Lease
from workers.loop import WakingLoop
from workers.merge import merge
from workers.metrics import answering
from workers.pace import LocalPace, Paces
from workers.queue import QUEUE_AWAY, Queue
from workers.redis_url import open_redis
from workers.runtime import Runtime
from workers.settler import settle_due
from workers.slots import Slots
from workers.sweep import Sweep
from workers.turn import turn

log = logging.getLogger(__name__)

JOBS: Mapping[str, Callable[..., Awaitable[None]]] = {
    "expand": expand_alert,
    "turn": turn,
    "merge": merge,
}

#: Seconds that jobs and sends under way get when we are asked to stop. What is still open then is
#: written down as unknown, and all of that has to fit into the ten seconds that `kentongan up`
#: gives (a test holds it): whoever is killed before leaves the settler to ask about everything.
FAREWELL = 8.0
#: Seconds until what was cancelled and goes on is cancelled again.
_CANCEL_AGAIN = 0.3
#: Seconds between sweeps, jittered by a fifth so that workers do not march in step.
SWEEP_EVERY = 2.0
SETTLE_EVERY = 0.5
LEAD_EVERY = 1.0
HEALTH_EVERY = 1.0
PROBE_EVERY = 5.0
#: Seconds until a lane whose Redis went away is started again: doubling, bounded.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


async def run(settings: Settings, environ: Mapping[str, str], *, stop: asyncio.Event) -> None:
    """Work until `stop` is set. `environ` is complete (`kentongan.settings.read_files`)."""
    begin_logging("worker", settings.log_level)
    async with AsyncExitStack() as stack:
        runtime = await _furnish(settings, environ, stack, stop)
        if settings.metrics_port:
            port = settings.metrics_port
            await stack.enter_async_context(
                answering(runtime.metrics, runtime.lease, settings.http_host, port)
            )
        with suppress(LedgerAwayError):
            await refresh(runtime)
        sweep = Sweep(runtime)
        leading = Leading(runtime)
        loops = [
            asyncio.create_task(runtime.lease.keep()),
            asyncio.create_task(_forever("sweep", SWEEP_EVERY, sweep.once)),
            asyncio.create_task(_forever("settle", SETTLE_EVERY, lambda: settle_due(runtime))),
            asyncio.create_task(_forever("lead", LEAD_EVERY, leading.once)),
            asyncio.create_task(_forever("health", HEALTH_EVERY, lambda: refresh(runtime))),
            asyncio.create_task(_forever("probe", PROBE_EVERY, lambda: probe(runtime))),
        ]
        lanes = [asyncio.create_task(_serve(runtime, lane, stop)) for lane in Lane]
        log.info("ready", extra={"worker": runtime.lease.incarnation})
        await stop.wait()
        log.info("stopping")
        until = monotonic() + FAREWELL
        await asyncio.gather(*lanes, sweep.stop(FAREWELL))
        await _landed(runtime, until)
        await _cancelled([*loops, *runtime.background])


async def _landed(run: Runtime, until: float) -> None:
    """Wait for the windows on their way; cut short what has not ended by `until`."""
    if run.flights:
        await asyncio.wait(run.flights, timeout=max(0.0, until - monotonic()))
    await _cancelled(run.flights)


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended: a driver may tell a cancellation as a failure of its own.

    A loop that waits that failure out would go on for ever, and the process with it.
    """
    ending = set(tasks)
    while ending:
        for task in ending:
            task.cancel()
        _, ending = await asyncio.wait(ending, timeout=_CANCEL_AGAIN)


async def _furnish(
    settings: Settings, environ: Mapping[str, str], stack: AsyncExitStack, stop: asyncio.Event
) -> Runtime:
    keyring = Keyring([key.get_secret_value() for key in settings.secret_key])
    deployment = Deployment.of(settings, keyring)
    ledger = Ledger.open(
        settings.database_url, patience=WORKER_PATIENCE, clock_offset=settings.clock_offset
    )
    stack.push_async_callback(ledger.close)
    queue = Queue.open(settings.redis_url)
    stack.push_async_callback(queue.close)
    real = channels.configured(environ, deployment)
    at = simulator_at(settings, keyring)
    practising = channels.practising(at, deployment) if at else channels.Providers.single({})
    for channel in (*real.every(), *practising.every()):
        stack.push_async_callback(channel.close)
    for channel in (*real.every(), *practising.every()):
        await channel.warm()
    lease = Lease(ledger, f"{socket.gethostname()}:{os.getpid()}")
    await _begin(lease, stop)
    stack.push_async_callback(_end, lease)
    loop = asyncio.get_running_loop()
    if isinstance(loop, WakingLoop):
        loop.call_on_wake(lease.on_wake)
    return Runtime(
        ledger=ledger,
        queue=queue,
        channels=real,
        practising=practising,
        deployment=deployment,
        settings=settings,
        lease=lease,
        gatekeeper=Gatekeeper(ledger, lease),
        paces=Paces(queue.redis),
        local_pace=LocalPace(),
        slots={lane: Slots(settings.send_slots) for lane in Lane},
        caps=settings.caps,
    )


async def _begin(lease: Lease, stop: asyncio.Event) -> None:
    """Take the first lease, waiting for a ledger that is away until `stop` is set."""
    while not stop.is_set():
        try:
            await lease.begin()
        except LedgerAwayError as error:
            log.warning("the ledger is away", extra={"why": str(error)})
            await _pause(1, stop)
        else:
            return


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _end(lease: Lease) -> None:
    try:
        await lease.end()
    except LedgerAwayError as error:
        log.warning("lease not given back; it ends by itself", extra={"why": str(error)})


async def _forever(name: str, every: float, once: Callable[[], Awaitable[object]]) -> None:
    """Call `once` again and again; trouble with the ledger is said and waited out."""
    while True:
        await asyncio.sleep(every * uniform(0.8, 1.2))  # noqa: S311 - spreads load
        try:
            await once()
        except LedgerAwayError as error:
            log.warning("the ledger is away", extra={"loop": name, "why": str(error)})
        except Exception:
            # A bug in one look must not end all looking: the next one may not meet it.
            log.exception("loop failed", extra={"loop": name})


async def _serve(run: Runtime, lane: Lane, stop: asyncio.Event) -> None:
    """Serve one lane until stopped, starting again whenever Redis comes back."""
    slots = run.settings.flash_slots if lane is Lane.FLASH else run.settings.routine_slots
    pause = _FIRST_PAUSE
    while not stop.is_set():
        redis = open_redis(run.settings.redis_url)
        context = {"runtime": run, "lane": lane}
        worker = DoorbellWorker(redis, lane, JOBS, slots=slots, context=context)
        began = monotonic()
        serving = asyncio.create_task(worker.main())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        until = monotonic() + FAREWELL
        if stop.is_set():
            await worker.finish(until)
        serving.cancel()
        [ended] = await asyncio.gather(serving, return_exceptions=True)
        await worker.finish(until)  # among them jobs that were being taken up meanwhile
        await _closed(redis.aclose())
        if stop.is_set():
            return
        log.warning("lane ended; starting it again", extra={"lane": lane, "why": repr(ended)[:200]})
        pause = _FIRST_PAUSE if monotonic() - began > _LONGEST_PAUSE else pause
        await _pause(pause, stop)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _closed(closing: Awaitable[None]) -> None:
    try:
        await closing
    except QUEUE_AWAY as error:
        log.info("queue was away at closing", extra={"why": type(error).__name__})
