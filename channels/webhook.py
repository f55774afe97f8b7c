"""Other systems as recipients: one signed POST per delivery (Standard Webhooks 1.0.0)."""

import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, ClassVar, Self

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from typing_extensions import override
from yarl import URL

from channels._shared.allowed import Allowed
from channels._shared.guard import BLOCKED, GuardedConnector
from channels._shared.http import HttpClient, Trouble, retry_after
from channels._shared.receiver_url import BlockedUrlError, ReceiverUrls, instead_of, receiver_url
from channels._shared.webhook_event import Compiled, compiled
from channels._shared.wire import Reply, Target
from kentongan import __version__
from kentongan.channel import AddressError, Channel, Gate, Limits, Pace, Repeat
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.message import Envelope, Preview, Wording
from kentongan.outcome import Accepted, Deferred, NotBegun, Outcome, Reason, Refused
from kentongan.receipt import ReceiptKind
from kentongan.retry import RetrySchedule
from kentongan.webhook_signing import signature, signing_keys

#: The standard asks for less than 20 kB, so that receivers may set a limit.
MOST_BYTES = 20_000
#: What a delivery's id and page may add to a preview.
_PARTICULARS = 500
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "*/*",
    "User-Agent": f"Kentongan/{__version__}",
}
_DELIVERED = Accepted(receipt=ReceiptKind.DELIVERED)


class WebhookSettings(BaseSettings):
    """How other systems are called."""

    model_config = SettingsConfigDict(env_prefix="KENTONGAN_WEBHOOK_", extra="ignore")

    allow: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Hosts and networks of your own that webhooks may reach, over http as well, "
        "each optionally with a port: `hooks.internal:8443,10.1.0.0/16,127.0.0.1:8090`. Link-local "
        "and cloud metadata addresses are never called.",
    )
    instead: str = Field(
        "",
        pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$",
        description="Send everything to this base URL + `/<host of the address>` instead of to the "
        "address itself; for demonstrations. Addresses on this URL's own host and port are left.",
    )
    units_per_second: float = Field(200, gt=0, description="Webhooks a second.")
    burst: int = Field(200, ge=1, description="Webhooks at once after a rest.")
    connections: int = Field(200, ge=1, description="Open connections, per worker.")
    connections_per_host: int = Field(
        20, ge=1, description="Of these to one receiver, so that one that hangs delays no other."
    )
    timeout: float = Field(15, gt=0, le=30, description="Seconds for a whole call.")

    @field_validator("allow", mode="before")
    @classmethod
    def _read_list(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("allow")
    @classmethod
    def _understood(cls, value: list[str]) -> list[str]:
        Allowed.parse(value)
        return value


class Webhook(Channel[WebhookSettings, Compiled]):
    """Signed JSON to an https URL. The receiver knows a repeat by its `webhook-id`."""

    name: ClassVar[str] = "webhook"
    settings_type: ClassVar[type[BaseSettings]] = WebhookSettings
    # 4 bytes a character at worst, and some 2 kB for all the rest, stay below MOST_BYTES.
    limits: ClassVar[Limits] = Limits(text=4000)
    # Short at first, then as Svix does; an alert's expiry ends it.
    retry: ClassVar[RetrySchedule] = RetrySchedule(waits=(5, 15, 60, 300, 1800, 7200, 18000))
    repeat: ClassVar[Repeat] = Repeat.ALWAYS
    has_one_provider: ClassVar[bool] = False  # each receiver answers for itself
    #: Who looks names up; None for the system.
    resolver: AbstractResolver | None = None

    def __init__(self, settings: WebhookSettings, deployment: Deployment) -> None:
        super().__init__(settings, deployment)
        self._allowed = Allowed.parse(settings.allow)
        self._client = HttpClient(self._connector, within=settings.timeout)
        self._receivers = ReceiverUrls(self._allowed)
        self._instead = URL(settings.instead) if settings.instead else None

    @override
    @classmethod
    def for_simulator(cls, at: SimulatorAt, deployment: Deployment) -> Self:
        url = URL(at.url)
        return cls(WebhookSettings(allow=[url.authority], instead=str(url / "hook")), deployment)

    @property
    @override
    def sender(self) -> str:
        return "webhook"

    @property
    @override
    def pace(self) -> Pace:
        return Pace(units_per_second=self.settings.units_per_second, burst=self.settings.burst)

    @property
    @override
    def concurrency(self) -> int:
        return self.settings.connections

    @override
    def check(self, address: str) -> str:
        return str(receiver_url(address, self._allowed))

    @override
    def prepare(self, wording: Wording) -> Compiled:
        return compiled(wording)

    @override
    def units(self, prepared: Compiled) -> int:
        return 1

    @override
    def preview(self, prepared: Compiled) -> Preview:
        body = prepared.filled("dlv_...", "")
        return Preview(text=body.decode(), excess=_excess(len(body) + _PARTICULARS))

    @override
    async def send(self, prepared: Compiled, envelope: Envelope, gate: Gate) -> Outcome:
        delivery_id = str(envelope.attempt.delivery_id)
        body = prepared.filled(delivery_id, envelope.response_url)
        if len(body) > MOST_BYTES:
            return Refused(Reason.CONTENT, f"the body is over {MOST_BYTES} bytes")
        try:
            target = self._target(envelope.address)
        except BlockedUrlError:
            return Refused(Reason.BLOCKED_HOST, BLOCKED)
        except AddressError as error:
            return Refused(Reason.INVALID_ADDRESS, str(error))
        headers = self._headers(envelope.address, delivery_id, body)
        match answer := await self._client.post(target, body=body, headers=headers, gate=gate):
            case NotBegun():
                return answer
            case Trouble():
                return _of_trouble(answer)
            case Reply():
                return outcome_of(answer, datetime.now(UTC))

    @override
    async def close(self) -> None:
        await self._client.close()

    def _connector(self) -> TCPConnector:
        return GuardedConnector(
            self._allowed,
            limit=self.settings.connections,
            limit_per_host=self.settings.connections_per_host,
            resolver=self.resolver,
        )

    def _target(self, address: str) -> Target:
        if self._instead is None:
            return self._receivers.read(address)
        return instead_of(address, self._instead)

    def _headers(self, address: str, message_id: str, body: bytes) -> dict[str, str]:
        # The receiver holds it against its own clock; the ledger's has no part in it.
        timestamp = int(time.time())
        keys = signing_keys(self.deployment.keyring, address)
        return {
            **_HEADERS,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(keys, message_id, timestamp, body),
        }


def outcome_of(reply: Reply, now: datetime) -> Outcome:
    """Say what a status means. The body is not kept: it may echo what we sent."""
    if 200 <= reply.status < 300:
        return _DELIVERED
    said = _said(reply.status)
    match reply.status // 100:
        case 3:
            return Refused(Reason.REJECTED, f"{said}: redirects are not followed")
        case 4 | 5:
            wish = retry_after(reply.headers.get("Retry-After"), now)
            return _of_error(reply.status, said, wish)
        case _:
            return Deferred(Reason.GARBLED_REPLY, said)


def _of_error(status: int, said: str, wish: timedelta | None) -> Outcome:
    if status == HTTPStatus.GONE:
        return Refused(Reason.GONE, said)
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == 503 and wish is not None):
        return Deferred(Reason.THROTTLED, said, retry_after=wish, counted=False)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= 500:
        return Deferred(Reason.PROVIDER_TROUBLE, said, retry_after=wish)
    return Refused(Reason.REJECTED, said)


def _said(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _of_trouble(trouble: Trouble) -> Outcome:
    """A repeat has the same id, so that nothing is lost by repeating what may have arrived."""
    if trouble.reason in {Reason.BLOCKED_HOST, Reason.INVALID_ADDRESS}:
        return Refused(trouble.reason, trouble.words)
    return Deferred(trouble.reason, trouble.words)


def _excess(needed: int) -> str:
    if needed <= MOST_BYTES:
        return ""
    return f"It would be {needed:,} bytes of JSON; {MOST_BYTES:,} can be sent."


CHANNEL = Webhook
