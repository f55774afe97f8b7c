"""What handlers may reach for. `service.main` opens it all and closes it again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from aiohttp import web

from channels import Providers
from kentongan.alert import Lane
from kentongan.deployment import Deployment
from kentongan.keyring import Keyring
from kentongan.settings import Settings
from ledger.engine import Ledger
from service.accept_group import AcceptGroup
from service.access import Gatekeeper
from service.console.door import Door
from service.counting import Counting
from service.event_group import EventGroup
from service.metrics import Metrics
from service.pressure import Pressure
from service.readiness import Lookout


class Bell(Protocol):
    """The queue, as the service sees it: a ring begins work at once. It never raises.

    A ring that is lost makes work late, not lost: the workers look for it every two seconds.
    """

    async def ring_alert(self, alert_id: str, lane: Lane, after: float = 0) -> None:
        """Say that an alert has work to do, `after` seconds."""

    async def ring_receipts(self, lane: Lane) -> None:
        """Say that providers, or people, reported something."""

    async def is_away(self) -> bool:
        """Tell whether Redis cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything that lives as long as the process."""

    settings: Settings
    deployment: Deployment
    ledger: Ledger
    queue: Bell
    channels: Providers  # those that are configured
    practising: Providers  # those of mode `test`; they reach the simulator alone
    keyring: Keyring
    gate: Gatekeeper
    lookout: Lookout
    metrics: Metrics
    now: Callable[[], datetime]
    counting: Counting = field(default_factory=Counting)
    event_group: EventGroup = field(default_factory=EventGroup)
    accept_group: AcceptGroup = field(default_factory=AcceptGroup)
    pressure: Pressure = field(default_factory=Pressure)
    door: Door = field(default_factory=Door)

    def lag(self) -> float:
        """Return for how many seconds somebody has been waiting for the ledger to commit."""
        return max(self.accept_group.lag(), self.event_group.lag())


HOUSE: web.AppKey[House] = web.AppKey("house", House)


def house(request: web.Request) -> House:
    """Return the house, for handlers outside the API."""
    return request.app[HOUSE]
