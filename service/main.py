"""Runs the service: opens what it needs, serves until asked to stop, closes in reverse."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from aiohttp import web

import channels
from kentongan.deployment import Deployment
from kentongan.keyring import Keyring
from kentongan.logs import begin_logging
from kentongan.practice import simulator_at
from kentongan.settings import Settings
from ledger import keys
from ledger.engine import SERVICE_PATIENCE, Ledger, LedgerAwayError
from service import bounces
from service.access import Gatekeeper
from service.app import IDLE, SECURITY_HEADERS, SERVED_BY, build_app
from service.doorbell import Doorbell
from service.metrics import Metrics, metrics_app
from service.readiness import Lookout
from service.web.server import Runner
from service.wiring import House
from workers.queue import Queue

log = logging.getLogger(__name__)

#: Seconds that requests in flight get to finish when we are asked to stop.
FAREWELL = 5.0
#: Seconds between two writings of when keys were last used.
USE_INTERVAL = 60.0
#: Seconds that a connection may stand idle between requests.
KEEP_ALIVE = 60.0


async def run(settings: Settings, environ: Mapping[str, str], *, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. `environ` is complete (`kentongan.settings.read_files`)."""
    begin_logging("service", settings.log_level)
    async with AsyncExitStack() as stack:
        house = await _furnish(settings, environ, stack)
        await stack.enter_async_context(_repeating(lambda: _note_use(house)))
        if settings.metrics_port:
            app = metrics_app(house.metrics, house.ledger, settings.caps)
            await stack.enter_async_context(
                _listening(app, settings.http_host, settings.metrics_port)
            )
        await stack.enter_async_context(bounces.listening(house))
        await stack.enter_async_context(
            _serving(build_app(house), settings.http_host, settings.http_port)
        )
        # What stands now stands for good; collecting it again and again took a tenth of the time.
        gc.freeze()
        log.info("ready", extra={"port": settings.http_port})
        await stop.wait()
        log.info("stopping")


async def _furnish(settings: Settings, environ: Mapping[str, str], stack: AsyncExitStack) -> House:
    keyring = Keyring([key.get_secret_value() for key in settings.secret_key])
    deployment = Deployment.of(settings, keyring)
    ledger = Ledger.open(
        settings.database_url, patience=SERVICE_PATIENCE, clock_offset=settings.clock_offset
    )
    stack.push_async_callback(ledger.close)
    bell = Doorbell(Queue.open(settings.redis_url))
    stack.push_async_callback(bell.close)
    real = channels.configured(environ, deployment)
    at = simulator_at(settings, keyring)
    practising = channels.practising(at, deployment) if at else channels.Providers.single({})
    for channel in (*real.every(), *practising.every()):
        stack.push_async_callback(channel.close)
    return House(
        settings=settings,
        deployment=deployment,
        ledger=ledger,
        queue=bell,
        channels=real,
        practising=practising,
        keyring=keyring,
        gate=Gatekeeper(ledger),
        lookout=Lookout(ledger, bell.is_away, settings.caps),
        metrics=Metrics(),
        now=_clock(settings.clock_offset),
    )


def _clock(offset: float) -> Callable[[], datetime]:
    ahead = timedelta(seconds=offset)
    return lambda: datetime.now(UTC) + ahead


@asynccontextmanager
async def _serving(app: web.Application, host: str, port: int) -> AsyncIterator[None]:
    async with _listening(app, host, port) as server, app[IDLE].watching(server):
        yield


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[web.Server]:
    runner = Runner(
        app,
        {**SECURITY_HEADERS, **SERVED_BY},
        access_log=None,  # it would hold addresses; requests are counted instead
        auto_decompress=False,  # refused anyway, before a bomb could go off
        keepalive_timeout=KEEP_ALIVE,
        shutdown_timeout=FAREWELL,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        assert runner.server is not None
        yield runner.server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _repeating(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            await asyncio.sleep(USE_INTERVAL)
            await work()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await work()


async def _note_use(house: House) -> None:
    used = house.gate.used()
    if not used:
        return
    try:
        async with house.ledger.write() as db:
            await keys.touch(db, used)
    except LedgerAwayError as error:
        log.warning("use of keys is not noted", extra={"cause": str(error)})
