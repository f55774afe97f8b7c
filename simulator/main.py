"""Starts the simulated carriers and ends them cleanly."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from simulator.behaviour import Behaviour
from simulator.book import Book
from simulator.bounce import Bouncing
from simulator.calling import Calling
from simulator.carrier import Carrier
from simulator.chance import Chance
from simulator.control import Control
from simulator.hooks import Hooks
from simulator.inbound import Inbound
from simulator.mail import Mail, quiet
from simulator.outside import Outside
from simulator.pool import Pool
from simulator.rest import Rest
from simulator.settings import SimulatorSettings
from simulator.texting import Texting

log = logging.getLogger(__name__)

#: The largest body that anything here takes: what a webhook or a form of ours may be, and more.
MOST = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The carriers as they run: where they listen, their book and their switches."""

    url: str
    smtp_port: int
    book: Book
    behaviour: Behaviour


async def run(settings: SimulatorSettings, *, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. A port in use raises `OSError`."""
    async with simulating(settings) as running:
        log.info(
            "the simulator listens",
            extra={"url": running.url, "smtp_port": running.smtp_port},
        )
        await stop.wait()


@asynccontextmanager
async def simulating(settings: SimulatorSettings) -> AsyncIterator[Simulation]:
    """Serve inside the `with`."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(Pool(settings.callback_speed))
        outside = await stack.enter_async_context(Outside(settings.auth_token, pool))
        carrier = Carrier(
            settings=settings,
            book=stack.enter_context(Book(settings.book_path)),
            chance=Chance(settings.seed, settings.rates),
            behaviour=Behaviour(inbound_url=settings.inbound_url),
            pool=pool,
            outside=outside,
        )
        inbound = Inbound(carrier)
        texting, calling = Texting(carrier, inbound), Calling(carrier)
        routes = [
            *Rest(carrier, texting, calling, inbound).routes(),
            *Control(carrier, inbound).routes(),
            *Hooks(carrier).routes(),
        ]
        http_port = await stack.enter_async_context(_http(settings, routes))
        smtp_port = await stack.enter_async_context(_smtp(settings, carrier))
        texting.resume()
        calling.resume()
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield Simulation(
            url=f"http://{host}:{http_port}",
            smtp_port=smtp_port,
            book=carrier.book,
            behaviour=carrier.behaviour,
        )


@asynccontextmanager
async def _http(settings: SimulatorSettings, routes: list[web.RouteDef]) -> AsyncIterator[int]:
    app = web.Application(client_max_size=MOST)
    app.add_routes(routes)
    # Requests that hang on purpose are cut, not waited for.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.http_port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _smtp(settings: SimulatorSettings, carrier: Carrier) -> AsyncIterator[int]:
    quiet()
    port = settings.smtp_port or (settings.http_port + 1 if settings.http_port else 0)
    mail = Mail(carrier, Bouncing(carrier))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(mail.server, settings.host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        mail.close()
        await server.wait_closed()
