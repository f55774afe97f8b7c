"""An installation under measurement: real processes, a ledger of its own, a Redis of its own."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.books import Books, opened
from bench.cpu import cpu_of
from bench.people import Crowd, settle_in
from bench.row import Bench, Engine
from kentongan.access import Role
from ledger import keys
from ledger.engine import Ledger
from ledger.migrate import upgrade
from tests.fakes.processes import Processes, Running
from tests.fakes.valkey import PrivateValkey
from tests.journey.client import Client
from tests.journey.ports import free_ports

SECRET = "a secret key of the bench that is long enough"  # noqa: S105 - of nobody
ACCOUNT, TOKEN = "AC" + "1" * 32, "2" * 32
SENDER = "+15005550006"
MAIL_FROM = "alerts@kentongan.example"
#: Seconds that an alert may take, and deliveries a second beyond that, until we give up.
_AT_LEAST, _SLOWEST = 60, 300
#: No sender's pace is in the way of what is measured.
_HUGE = "1000000"


class UnexpectedStateError(Exception):
    """Deliveries ended otherwise than they should; their figures would mean nothing."""


@dataclass(slots=True)
class Took:
    """What a stretch of time cost, in seconds; filled at the end of `World.measured`."""

    wall: float = 0.0
    ours: float = 0.0
    database: float = 0.0
    redis: float = 0.0

    def beside(self) -> dict[str, float]:
        """Return what is shown and not judged."""
        shown = {"wall s": self.wall, "redis s": self.redis}
        return shown | ({"database s": self.database} if self.database else {})


class World:
    """A service and workers. `database_url` and `books` are open to look at."""

    def __init__(
        self, bench: Bench, url: str, books: Books, valkey: PrivateValkey, environ: dict[str, str]
    ) -> None:
        self._bench, self._valkey = bench, valkey
        self.database_url, self.books, self.redis_url = url, books, valkey.url
        self.environ = environ
        self.url = environ["KENTONGAN_PUBLIC_URL"]
        self.key = keys.new_secret()
        self.api = Client(self.url, self.key, timeout=60)
        self.processes = Processes(bench.folder / f"log-{secrets.token_hex(4)}", environ)
        self.service = self.processes.serve()
        self.workers: list[Running] = []

    async def start(self, workers: int) -> None:
        """Bring everything up."""
        await self._make_key()
        self.service.start()
        await self.employ(workers)
        await asyncio.to_thread(self.service.wait_until_ready)

    async def employ(self, workers: int) -> None:
        """Have exactly so many workers, all of them new."""
        for worker in self.workers:
            await asyncio.to_thread(worker.stop)
        # From the main thread: a child dies with the thread that started it.
        self.workers = [self.processes.worker().start() for _ in range(workers)]
        for worker in self.workers:
            await asyncio.to_thread(worker.wait_until_logged, '"ready"', 60)

    async def gather(self, crowd: Crowd) -> None:
        """Write people down."""
        await settle_in(self.books, crowd)

    async def accept(self, group: str, channel: str, **changes: Any) -> str:
        """Post an alert to a group and return its id."""
        return await asyncio.to_thread(self._post, an_alert(group, channel, **changes))

    async def send(self, group: str, channel: str, people: int, **changes: Any) -> str:
        """Post an alert and wait until all of it has gone out, as it should."""
        alert = await self.accept(group, channel, **changes)
        await self.books.until_sent(alert, _AT_LEAST + people / _SLOWEST)
        states = await self.books.states(alert)
        if states != {_ENDS_AS[channel]: people}:
            raise UnexpectedStateError(f"{channel}: {states} of {people}")
        return alert

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[Took]:
        """Measure what the block costs; SQLite's work is done by our own processes."""
        took, before, began = Took(), self._cpu(), time.monotonic()
        yield took
        took.wall = time.monotonic() - began
        took.ours, took.database, took.redis = (
            now - then for now, then in zip(self._cpu(), before, strict=True)
        )

    def close(self) -> None:
        self.processes.close()

    def _cpu(self) -> tuple[float, float, float]:
        ours = cpu_of(self.service.pid, *(worker.pid for worker in self.workers))
        server = self._bench.server.pid if self._bench.engine is Engine.POSTGRESQL else None
        return ours, cpu_of(server), cpu_of(self._valkey.pid)

    def _post(self, body: Mapping[str, Any]) -> str:
        answer = self.api.post("/v1/alerts", body, Idempotency_Key=secrets.token_hex(8))
        assert answer.status == 202, answer
        return str(answer.body["id"])

    async def _make_key(self) -> None:
        ledger = Ledger.open(self.database_url)
        try:
            await keys.ensure(ledger, self.key, name="bench", role=Role.ADMIN)
        finally:
            await ledger.close()


#: What shows of a delivery that a sink has taken, and of which no more is to be heard.
_ENDS_AS = {"sms": "accepted", "email": "sent", "webhook": "delivered"}


def an_alert(group: str, channel: str, **changes: Any) -> dict[str, Any]:
    """Return the body of a routine alert in two languages, with answers to choose from."""
    return {
        "mode": "actual",
        "severity": "moderate",
        "urgency": "expected",
        "certainty": "likely",
        "headline": {"en": "High tide tonight", "id": "Air pasang malam ini"},
        "text": {
            "en": "The sea rises by 40 cm from nine o'clock. Move vehicles to higher ground.",
            "id": "Air laut naik 40 cm mulai pukul 21. Pindahkan kendaraan ke tempat tinggi.",
        },
        "options": [
            {"key": "1", "label": {"en": "Safe", "id": "Aman"}},
            {"key": "2", "label": {"en": "Need help", "id": "Butuh bantuan"}},
        ],
        "audience": {"groups": [group]},
        "channels": [channel],
        **changes,
    }


@asynccontextmanager
async def standing(
    bench: Bench, *, workers: int = 1, environ: Mapping[str, str] | None = None
) -> AsyncIterator[World]:
    """Yield a world that is up; `environ` says more about its settings, such as where sinks are."""
    url = await _ledger(bench)
    with PrivateValkey.running() as valkey:
        async with opened(url) as books:
            settings = _environ(bench, url, valkey.url) | dict(environ or {})
            world = World(bench, url, books, valkey, settings)
            try:
                await world.start(workers)
                yield world
            finally:
                world.close()
    if bench.engine is Engine.POSTGRESQL:
        await bench.server.drop(url)


async def _ledger(bench: Bench) -> str:
    if bench.engine is Engine.POSTGRESQL:
        return await bench.server.fresh()
    folder = bench.folder / f"ledger-{secrets.token_hex(4)}"
    folder.mkdir()
    url = f"sqlite:///{folder / 'ledger.db'}"
    await asyncio.to_thread(asyncio.run, upgrade(url))
    return url


def _environ(bench: Bench, database: str, redis: str) -> dict[str, str]:
    [port] = free_ports(1)
    given = {
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "DATA_DIR": str(bench.folder / "data"),
        "SECRET_KEY": SECRET,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HTTP_PORT": str(port),
        "WEBHOOK_ALLOW": "127.0.0.1",
        "WEBHOOK_UNITS_PER_SECOND": _HUGE,
        "WEBHOOK_BURST": _HUGE,
    }
    return {f"KENTONGAN_{name}": value for name, value in given.items()}


def sms_through(port: int, **more: str) -> dict[str, str]:
    """Return the settings of texts through a sink."""
    given = {
        "ACCOUNT_SID": ACCOUNT,
        "AUTH_TOKEN": TOKEN,
        "SENDER": SENDER,
        "BASE_URL": f"http://127.0.0.1:{port}",
        "UNITS_PER_SECOND": _HUGE,
        "BURST": _HUGE,
        **more,
    }
    return {f"KENTONGAN_SMS_{name}": value for name, value in given.items()}


def email_through(port: int, **more: str) -> dict[str, str]:
    """Return the settings of mail through a sink."""
    given = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "TLS": "none",
        "SENDER": MAIL_FROM,
        "UNITS_PER_SECOND": _HUGE,
        "BURST": _HUGE,
        **more,
    }
    return {f"KENTONGAN_EMAIL_{name}": value for name, value in given.items()}
