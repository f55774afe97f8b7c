"""People of the simulator answer, and their answers arrive: by SMS, by keypad, and as bounces."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp.test_utils import TestServer

import channels
from channels import AnyChannel
from channels._shared.smtp_settings import EmailSettings, Tls
from channels.email import Email
from kentongan.alert import Mode
from kentongan.channel import Callback
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.message import Envelope
from kentongan.outcome import Accepted
from kentongan.receipt import Receipt, ReceiptKind
from kentongan.response_link import response_url
from ledger import alerts, suppressions
from ledger.engine import Ledger
from service.app import build_app
from service.bounces import listening
from service.wiring import House
from simulator.main import simulating
from simulator.settings import SimulatorSettings
from templates.wording import wording_of
from tests.fakes import asked
from tests.fakes.channels import CountingGate
from tests.fakes.house import deployment, made_house
from tests.fakes.servers import closed_port

TOKEN = "0123456789abcdef" * 2
BOUNCES = "bounce.example"


@dataclass(frozen=True)
class World:
    """A service, and a simulator that calls it back."""

    house: House
    ledger: Ledger

    async def sends(self, channel: str, address: str) -> DeliveryId:
        """Hand one message over, as a worker would after its claim."""
        alert_id = await asked.alert(self.ledger, mode=Mode.TEST)
        one = await asked.delivery(self.ledger, alert_id, channel=channel, address=address)
        async with self.ledger.read() as db:
            alert = await alerts.get(db, alert_id)
        assert alert
        way = self.house.channels[channel]
        envelope = Envelope(
            attempt=AttemptRef(one, 1),
            address=address,
            lane=alert.lane,
            remaining=600,
            response_url=response_url(self.house.deployment, one),
        )
        prepared = way.prepare(wording_of(alert, channel, "id"))
        outcome = await way.send(prepared, envelope, CountingGate())
        assert isinstance(outcome, Accepted)
        return one

    async def receipts(self, one: DeliveryId) -> set[ReceiptKind]:
        """Return what the kept events say of a delivery."""
        return {
            report.kind
            for event in await asked.kept(self.ledger)
            if event.delivery_id == one
            for report in self.house.channels[event.channel].receipts(
                Callback.from_json(event.payload)
            )
            if isinstance(report, Receipt)
        }


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.02)


@pytest.fixture
async def world(ledger: Ledger) -> AsyncIterator[World]:
    port, bounce_port = closed_port(), closed_port()
    url = f"http://127.0.0.1:{port}"
    chosen = SimulatorSettings(
        http_port=0,
        auth_token=TOKEN,
        callback_speed=50,
        inbound_url=f"{url}/callbacks/sms/inbound",
        bounce_port=bounce_port,
    )
    async with simulating(chosen) as sim:
        at = SimulatorAt(
            url=sim.url,
            smtp_host="127.0.0.1",
            smtp_port=sim.smtp_port,
            account_sid=chosen.account_sid,
            auth_token=TOKEN,
        )
        plain = made_house(ledger, environ={"KENTONGAN_PUBLIC_URL": url})
        place = deployment(plain.settings)
        ways: dict[str, AnyChannel] = dict(channels.practising(at, place))
        await ways["email"].close()
        ways["email"] = _bouncing(at, place, bounce_port)
        house = made_house(
            ledger, channels=ways, practising=ways, environ={"KENTONGAN_PUBLIC_URL": url}
        )
        async with _serving(house, port), listening(house):
            yield World(house, ledger)
        for way in ways.values():
            await way.close()


def _bouncing(at: SimulatorAt, place: Deployment, port: int) -> Email:
    chosen = EmailSettings(
        host=at.smtp_host,
        port=at.smtp_port,
        tls=Tls.NONE,
        sender="alerts@example.org",
        bounce_domain=BOUNCES,
        bounce_listen=f"127.0.0.1:{port}",
    )
    return Email(chosen, place)


@asynccontextmanager
async def _serving(house: House, port: int) -> AsyncIterator[None]:
    server = TestServer(build_app(house), port=port)
    await server.start_server()
    try:
        yield
    finally:
        await server.close()


async def test_digit_by_sms_acknowledges(world: World) -> None:
    one = await world.sends("sms", "+6281234560002")

    async def answered() -> bool:
        return await asked.answers(world.ledger, one) == [("2", "sms", True)]

    await eventually(answered)
    await eventually(lambda: _has(world, one, ReceiptKind.DELIVERED))


async def test_stop_by_sms_suppresses(world: World) -> None:
    await world.sends("sms", "+6281234560009")

    async def stopped() -> bool:
        async with world.ledger.read() as db:
            return await suppressions.in_force(db, "sms", "+6281234560009") is not None

    await eventually(stopped)


async def test_key_on_a_call_acknowledges(world: World) -> None:
    one = await world.sends("voice", "+6281234560001")

    async def answered() -> bool:
        return await asked.answers(world.ledger, one) == [("1", "voice", True)]

    await eventually(answered)


async def test_voicemail_acknowledges_nothing(world: World) -> None:
    one = await world.sends("voice", "+6281234560022")

    await eventually(lambda: _has(world, one, ReceiptKind.MACHINE))

    assert await asked.answers(world.ledger, one) == []


async def test_bounce_comes_back_to_its_delivery(world: World) -> None:
    one = await world.sends("email", "bounce-later@example.org")

    await eventually(lambda: _has(world, one, ReceiptKind.FAILED))


async def _has(world: World, one: DeliveryId, kind: ReceiptKind) -> bool:
    return kind in await world.receipts(one)
