"""What every channel promises: the plug-in API.

A plug-in imports `kentongan.*` and nothing else of ours.
"""

from abc import ABC, abstractmethod
from asyncio import BaseTransport
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic_settings import BaseSettings

from kentongan.deployment import Deployment, SimulatorAt
from kentongan.ids import AttemptRef
from kentongan.message import Envelope, Preview, Wording
from kentongan.outcome import Outcome
from kentongan.receipt import Receipt, ReceiptKind, Report
from kentongan.retry import RetrySchedule

SettingsT = TypeVar("SettingsT", bound=BaseSettings)
PreparedT = TypeVar("PreparedT")

#: Asked by a channel between holding the connection and the first byte; raises `NotBegunError`.
#: It is told the transport, so that the engine can abort it should the worker's lease lapse: a
#: worker that was frozen must finish nothing of what stands half-written in its buffers.
Gate = Callable[[BaseTransport | None], Awaitable[None]]


class Repeat(StrEnum):
    """What may be done with an attempt whose outcome stayed unknown after all asking."""

    ALWAYS = "always"  # the receiver knows a repeat by its id (webhook)
    SAME_ID = "same_id"  # many receivers know it; severe and extreme only, unless a worker died
    SEVERE = "severe"  # the person would get it twice; severe and extreme only
    NEVER = "never"  # a second call frightens more than it helps


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one sender may go: units (segments, calls, messages) a second, and at once."""

    units_per_second: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One identity that a provider sends from: its pace, and its units a day (UTC) if limited."""

    name: str
    pace: Pace
    a_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a channel carries; a longer text is refused before the alert is accepted."""

    text: int  # characters after filling and marking
    headline: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A provider's request to us, freed from the web framework that carried it.

    `kind` is the last part of its path; `url` the public one that was signed: built from settings
    and the raw path and query, never from the Host header.
    """

    kind: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    form: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""

    def first(self, name: str, default: str = "") -> str:
        """Return the first form value called `name`."""
        return next(iter(self.form.get(name, ())), default)

    def to_json(self) -> dict[str, Any]:
        """Return what is kept of it: all but the headers, which carry the signature."""
        return {
            "kind": self.kind,
            "url": self.url,
            "query": dict(self.query),
            "form": {name: list(values) for name, values in self.form.items()},
            "body": b64encode(self.body).decode(),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `to_json` kept."""
        return cls(
            kind=kept["kind"],
            url=kept["url"],
            query=kept["query"],
            form={name: tuple(values) for name, values in kept["form"].items()},
            body=b64decode(kept["body"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the provider is told once its report is committed."""

    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An attempt that we ask the provider about: enough to know its message by."""

    attempt: AttemptRef
    address: str
    opened_at: datetime
    text: str  # what it said, in the words of `Preview.text`


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message in the provider's book that may be the attempt's."""

    provider_id: str
    kind: ReceiptKind
    code: str = ""


class CannotAskError(Exception):
    """The provider could not be asked, or gave no answer: this says nothing about the message."""


class ForgedCallbackError(Exception):
    """The callback lacks a signature that only the provider could make."""


class AddressError(ValueError):
    """The address cannot be used on this channel; the message says how to mend it."""


class CountryNotAllowedError(AddressError):
    """The number is sound, but the operator lets nothing be sent there, save what no cap binds.

    `address` is its normal form.
    """

    def __init__(self, said: str, address: str) -> None:
        super().__init__(said)
        self.address = address


class NotPractisableError(Exception):
    """The channel cannot be pointed at the simulator; the message says why."""


class Channel(ABC, Generic[SettingsT, PreparedT]):
    """One way of reaching people, through one provider. An instance lives as long as its process.

    Waiting, retrying, pacing and marking drills are the engine's business, not a channel's.
    """

    name: ClassVar[str]
    #: The channel whose messages it carries, as a further provider of it; empty: its own.
    carries: ClassVar[str] = ""
    #: Whether all of its messages go through one provider, so that failing for one tells of all.
    has_one_provider: ClassVar[bool] = True
    settings_type: ClassVar[type[BaseSettings]]
    limits: ClassVar[Limits]
    retry: ClassVar[RetrySchedule] = RetrySchedule()
    repeat: ClassVar[Repeat]

    #: Which provider of the channel this is; set by whoever builds it.
    provider: str = ""

    def __init__(self, settings: SettingsT, deployment: Deployment) -> None:
        self.settings = settings
        self.deployment = deployment

    @classmethod
    def for_simulator(cls, at: SimulatorAt, deployment: Deployment) -> Self:
        """Return a channel that reaches nobody; without it, mode `test` is refused."""
        raise NotPractisableError(f"{cls.name} has no simulator")

    @property
    def channel(self) -> str:
        """The channel that deliveries name: what it carries, or itself."""
        return self.carries or self.name

    @property
    @abstractmethod
    def sender(self) -> str:
        """Who we are to the provider (a number, a From address); a pace belongs to it."""

    @property
    @abstractmethod
    def pace(self) -> Pace:
        """How fast `sender` may go."""

    @property
    def senders(self) -> Sequence[Sender]:
        """All that it sends from, `sender` first; an envelope names one of them."""
        return (Sender(name=self.sender, pace=self.pace),)

    @property
    def concurrency(self) -> int | None:
        """How many sends can be under way at once, in this process; None without a limit.

        What is handed over beyond it only waits in the channel, with its attempt open.
        """
        return None

    @property
    def receipt_horizon(self) -> timedelta | None:
        """How long receipts may still come after a hand-over; None where none ever do."""
        return None

    @abstractmethod
    def check(self, address: str) -> str:
        """Return the address in its one normal form; raise `AddressError` if it has none."""

    @abstractmethod
    def prepare(self, wording: Wording) -> PreparedT:
        """Do all that is the same for everyone, once per alert and locale. Raises nothing."""

    @abstractmethod
    def units(self, prepared: PreparedT) -> int:
        """Return how much of the pace one message takes, at least 1."""

    @abstractmethod
    def preview(self, prepared: PreparedT) -> Preview:
        """Return the message as the channel would carry it."""

    @abstractmethod
    async def send(self, prepared: PreparedT, envelope: Envelope, gate: Gate) -> Outcome:
        """Try once and say what happened; raise only for bugs.

        `gate` is awaited when the connection is held and nothing has been written, and again where
        it has become another connection, or much time has passed and nothing is handed over yet;
        what it raises (`NotBegunError`) becomes `NotBegun`. A failure before the first byte is
        Deferred; after it, anything unclear is Unknown, within the channel's own time-out.
        """

    def authenticate(self, callback: Callback) -> None:
        """Raise `ForgedCallbackError` unless only the provider can have made this callback."""
        raise ForgedCallbackError(f"{self.name} expects no callbacks")

    def receipts(self, callback: Callback) -> Sequence[Report]:
        """Read an authenticated callback. Raises nothing: what it cannot read is no report."""
        return ()

    def answer(self, callback: Callback) -> Answer:
        """Return what the provider wants to hear (for a call: what happens next)."""
        return Answer()

    async def find(self, asked: Asked) -> Sequence[Candidate]:
        """Return what the provider holds for an attempt's address since it was opened.

        Raises `CannotAskError`, also where there is nobody to ask (the default).
        """
        raise CannotAskError(f"{self.name} has nobody to ask about {asked.attempt}")

    async def fetch(self, provider_id: str) -> Receipt | None:
        """Return the latest receipt of a message, None if the provider does not know it.

        Raises `CannotAskError`.
        """
        raise CannotAskError(f"{self.name} has nobody to ask about {provider_id}")

    async def cancel(self, provider_id: str) -> bool:
        """Call back a message that the provider still holds. False: too late, or never possible."""
        return False

    async def probe(self) -> None:
        """Ask the provider something harmless; raise `CannotAskError` if we could not send."""

    async def warm(self) -> None:
        """Do slow first-time work (imports, look-ups) before the first alert needs it."""

    async def close(self) -> None:
        """Give back sockets and pools. May be called twice."""
