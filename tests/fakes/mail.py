"""Dull mail for tests: a deployment, a wording, an envelope, and the channel for a relay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from channels._shared.smtp_settings import EmailSettings, Tls
from channels.email import Email
from kentongan.alert import AlertType, Lane, Mode, Severity
from kentongan.deployment import Deployment
from kentongan.ids import AlertId, AttemptRef, DeliveryId
from kentongan.keyring import Keyring
from kentongan.message import Envelope, Option, Wording
from kentongan.outcome import Outcome
from tests.fakes.smtp import Relay

ALERT = AlertId("alr_06h0p3l57pvfp92ir5enpmepqc")
EARLIER = AlertId("alr_06h0p3l57tokf6tirqlhvpd324")
DELIVERY = DeliveryId("dlv_06h0p3l57pvfp92ir5enpmepq0")
NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
PASSWORD = "canary-password-7421"


def deployment(organisation: str = "BPBD Kota Semarang") -> Deployment:
    return Deployment(
        organisation=organisation,
        public_url="https://alerts.example.id",
        locale="id",
        region="ID",
        countries=frozenset(),
        keyring=Keyring(["a secret key of the tests, long enough"]),
    )


def wording(**changes: Any) -> Wording:
    values: dict[str, Any] = {
        "alert_id": ALERT,
        "mode": Mode.ACTUAL,
        "type": AlertType.ALERT,
        "severity": Severity.MODERATE,
        "lane": Lane.ROUTINE,
        "locale": "id",
        "headline": "Banjir rob",
        "text": "Air laut naik.\nPindah ke tempat tinggi.",
        "options": (
            Option(key="1", label={"id": "Aman", "en": "Safe"}),
            Option(key="2", label={"id": "Butuh bantuan", "en": "Need help"}),
        ),
        "accepted_at": NOW,
        "expires_at": NOW + timedelta(hours=2),
    }
    return Wording(**(values | changes))


def envelope(**changes: Any) -> Envelope:
    values: dict[str, Any] = {
        "attempt": AttemptRef(DELIVERY, 1),
        "address": "budi@example.id",
        "name": "Budi",
        "lane": Lane.ROUTINE,
        "remaining": 3600.0,
        "response_url": "https://alerts.example.id/r/token",
    }
    return Envelope(**(values | changes))


def settings(port: int, **changes: Any) -> EmailSettings:
    """Time-outs are short, so that a stall costs a test little."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "tls": Tls.NONE,
        "sender": "peringatan@bpbd.example.id",
        "connect_timeout": 2,
        "reply_timeout": 0.4,
        "final_timeout": 0.4,
        "total_timeout": 5,
    }
    return EmailSettings(**(values | changes))


@asynccontextmanager
async def channel_to(relay: Relay, **changes: Any) -> AsyncIterator[Email]:
    channel = Email(settings(relay.port, **changes), deployment())
    try:
        yield channel
    finally:
        await channel.close()


async def open_gate(_transport: object) -> None:
    """Let everything through."""


async def send_one(channel: Email, **changes: Any) -> Outcome:
    """Send one dull letter, with changes to its envelope."""
    return await channel.send(channel.prepare(wording()), envelope(**changes), open_gate)
