"""A service over a real ledger, with a doorbell that only remembers who rang."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from channels import AnyChannel, Providers
from kentongan.access import Role
from kentongan.alert import Lane, Mode
from kentongan.deployment import Deployment
from kentongan.keyring import Keyring
from kentongan.settings import Settings, load
from ledger import keys
from ledger.engine import Ledger
from service.access import Gatekeeper
from service.app import build_app
from service.metrics import Metrics
from service.readiness import Lookout
from service.wiring import House

Headers: TypeAlias = Mapping[str, str]
Client: TypeAlias = TestClient[web.Request, web.Application]

KEYRING = Keyring(["a secret key of thirty-two letters or more"])


@dataclass
class QuietBell:
    """Rings nothing; tells what it was asked to ring."""

    rung: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False

    async def ring_alert(self, alert_id: str, lane: Lane, after: float = 0) -> None:
        assert after >= 0
        self.rung.append((alert_id, lane))

    async def ring_receipts(self, lane: Lane) -> None:
        self.rung.append(("receipts", lane))

    async def is_away(self) -> bool:
        return self.away


def made_house(
    ledger: Ledger,
    *,
    channels: Mapping[str, AnyChannel] | None = None,
    practising: Mapping[str, AnyChannel] | None = None,
    environ: Mapping[str, str] | None = None,
) -> House:
    """Return a house whose parts are real but for the queue."""
    settings = load(Settings, {"KENTONGAN_PUBLIC_URL": "https://warn.example", **(environ or {})})
    queue = QuietBell()
    return House(
        settings=settings,
        deployment=deployment(settings),
        ledger=ledger,
        queue=queue,
        channels=_providers(channels),
        practising=_providers(practising),
        keyring=KEYRING,
        gate=Gatekeeper(ledger),
        lookout=Lookout(ledger, queue.is_away, settings.caps),
        metrics=Metrics(),
        now=lambda: datetime.now(UTC),
    )


def _providers(channels: Mapping[str, AnyChannel] | None) -> Providers:
    return channels if isinstance(channels, Providers) else Providers.single(channels or {})


def deployment(settings: Settings) -> Deployment:
    """Return the place that channels of tests run in."""
    return Deployment(
        organisation=settings.organisation,
        public_url=settings.public_url,
        locale=settings.default_locale,
        region=settings.default_region,
        countries=frozenset(settings.countries),
        keyring=KEYRING,
    )


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[Client]:
    """Serve `house` on loopback."""
    async with TestClient(TestServer(build_app(house), auto_decompress=False)) as client:
        yield client


async def key_of(
    ledger: Ledger,
    role: Role,
    *,
    modes: tuple[Mode, ...] = tuple(Mode),
    groups: tuple[str, ...] = (),
    people: int = 1000,
) -> Headers:
    """Return the headers of a fresh key; `people` are an integration's ceilings."""
    secret = keys.new_secret()
    bounded = people if role is Role.INTEGRATION else None
    async with ledger.write() as db:
        await keys.add(
            db,
            secret,
            name=f"a test's {role}",
            role=role,
            modes=modes,
            groups=groups,
            people_per_alert=bounded,
            people_per_hour=bounded,
            created_by="tests",
        )
    return {"Authorization": f"Bearer {secret}"}
