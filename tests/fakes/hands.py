"""A worker's parts over a real ledger, with one dull channel and no Redis to be found."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from pydantic_settings import BaseSettings
from typing_extensions import override

from channels import Providers
from kentongan.alert import Lane
from kentongan.caps import Caps
from kentongan.channel import Channel, Gate, Limits, Pace, Repeat
from kentongan.message import Envelope, Preview, Wording
from kentongan.outcome import Accepted, Outcome
from kentongan.retry import RetrySchedule
from kentongan.settings import Settings, load
from ledger.engine import Ledger
from tests.fakes.house import deployment
from workers.gate import Gatekeeper
from workers.lease import Lease
from workers.pace import LocalPace, Paces
from workers.queue import Queue
from workers.runtime import Runtime
from workers.slots import Slots

Sending = Callable[[Envelope, Gate], Awaitable[Outcome]]


class DullSettings(BaseSettings):
    """None."""


async def accept(envelope: Envelope, gate: Gate) -> Outcome:
    """Send as a channel does that works."""
    await gate(None)
    return Accepted(f"SM-{envelope.address}")


class DullChannel(Channel[DullSettings, Wording]):
    """Sends as it is told to; `size` are the units of a message."""

    name = "sms"
    settings_type = DullSettings
    limits = Limits(text=1000)
    retry: ClassVar[RetrySchedule] = RetrySchedule(waits=(30.0, 30.0), jitter=0)
    repeat = Repeat.SEVERE

    def __init__(self, sending: Sending = accept, *, rate: float = 1000, size: int = 1) -> None:
        self._sending, self._rate, self._size = sending, rate, size
        self.sent: list[str] = []

    @property
    @override
    def sender(self) -> str:
        return "+1500"

    @property
    @override
    def pace(self) -> Pace:
        return Pace(units_per_second=self._rate, burst=max(1, int(self._rate)))

    @override
    def check(self, address: str) -> str:
        return address

    @override
    def prepare(self, wording: Wording) -> Wording:
        return wording

    @override
    def units(self, prepared: Wording) -> int:
        return self._size

    @override
    def preview(self, prepared: Wording) -> Preview:
        return Preview(text=prepared.text)

    @override
    async def send(self, prepared: Wording, envelope: Envelope, gate: Gate) -> Outcome:
        self.sent.append(envelope.address)
        return await self._sending(envelope, gate)


def _only(channel: Channel[Any, Any]) -> Providers:
    return Providers.single({channel.name: channel})


@asynccontextmanager
async def working(
    ledger: Ledger,
    channel: Channel[Any, Any] | Providers,
    *,
    redis: str = "unix:///nowhere/valkey.sock",
    caps: Caps | None = None,
) -> AsyncIterator[Runtime]:
    """A worker with a lease; what still flies at the end is cut short, as when a worker stops."""
    providers = channel if isinstance(channel, Providers) else _only(channel)
    settings = load(Settings, {"KENTONGAN_PUBLIC_URL": "https://warn.example"})
    queue = Queue.open(redis)
    lease = Lease(ledger, "here")
    await lease.begin()
    run = Runtime(
        ledger=ledger,
        queue=queue,
        channels=providers,
        practising=Providers.single({}),
        deployment=deployment(settings),
        settings=settings,
        lease=lease,
        gatekeeper=Gatekeeper(ledger, lease),
        paces=Paces(queue.redis),
        local_pace=LocalPace(),
        slots={lane: Slots(settings.send_slots) for lane in Lane},
        caps=caps or Caps(),
    )
    keeping = asyncio.create_task(lease.keep())  # on a busy machine a test may outlive a lease
    try:
        yield run
    finally:
        left = {keeping, *run.flights, *run.background}
        while left:  # a driver may lose a cancellation that comes along with a time-out of its own
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=5)
        await queue.close()
