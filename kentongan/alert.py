"""What a caller asks us to say, in CAP 1.2's words where CAP has one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kentongan.audience import Audience
from kentongan.clock import Micros
from kentongan.ids import AlertId, KeyId

#: The built-in text by which an update or a cancel says that the danger is over.
ALL_CLEAR = "all_clear"


class Mode(StrEnum):
    """CAP *status*: fixed when the alert is made, marked by the server on every channel."""

    ACTUAL = "actual"
    EXERCISE = "exercise"
    TEST = "test"  # only ever goes to the simulator


class AlertType(StrEnum):
    """CAP *msgType*. An update or a cancel references earlier alerts."""

    ALERT = "alert"
    UPDATE = "update"
    CANCEL = "cancel"


class Severity(StrEnum):
    EXTREME = "extreme"
    SEVERE = "severe"
    MODERATE = "moderate"
    MINOR = "minor"
    UNKNOWN = "unknown"


class Urgency(StrEnum):
    IMMEDIATE = "immediate"
    EXPECTED = "expected"
    FUTURE = "future"
    PAST = "past"
    UNKNOWN = "unknown"


class Certainty(StrEnum):
    OBSERVED = "observed"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    UNKNOWN = "unknown"


class Category(StrEnum):
    GEO = "geo"
    MET = "met"
    SAFETY = "safety"
    SECURITY = "security"
    RESCUE = "rescue"
    FIRE = "fire"
    HEALTH = "health"
    ENV = "env"
    TRANSPORT = "transport"
    INFRA = "infra"
    CBRNE = "cbrne"
    OTHER = "other"


class Lane(StrEnum):
    """Which way through the engine: flash work waits for nothing routine."""

    FLASH = "flash"
    ROUTINE = "routine"


class Control(StrEnum):
    """What we were told to do with an alert after it was accepted."""

    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"


class AlertState(StrEnum):
    """What an alert shows (docs/states.md says when)."""

    SCHEDULED = "scheduled"
    EXPANDING = "expanding"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    STOPPED = "stopped"
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One answer a person may choose: the digit that stands for it, and its label per locale."""

    key: str
    label: Mapping[str, str]

    def label_in(self, locale: str) -> str:
        """Return the label in `locale`, else in English, else in whichever there is."""
        return self.label.get(locale) or self.label.get("en") or next(iter(self.label.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What an alert says in one locale, before drills are marked."""

    headline: str
    text: str


def lane_of(severity: Severity, urgency: Urgency, *, correction: bool) -> Lane:
    """Flash: extreme; or severe and immediate; corrections and all clears (design, section 3)."""
    urgent = severity is Severity.EXTREME or (
        severity is Severity.SEVERE and urgency is Urgency.IMMEDIATE
    )
    return Lane.FLASH if urgent or correction else Lane.ROUTINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to be told to many people, once, before it goes stale.

    `words` holds each locale's headline and text with their blanks filled, `channel_words` the
    texts that one channel has of its own; `body` is the request as it was accepted.
    """

    id: AlertId
    mode: Mode
    type: AlertType
    severity: Severity
    urgency: Urgency
    certainty: Certainty
    lane: Lane
    words: Mapping[str, Words]
    channel_words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    audience: Audience
    channels: tuple[str, ...]
    options: tuple[Option, ...] = ()
    references: tuple[AlertId, ...] = ()
    corrects: AlertId | None = None
    made_by: KeyId
    source: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    control: Control = Control.ACTIVE
    accepted_at: Micros
    send_at: Micros | None = None
    send_zone: str | None = None  # the IANA zone that `send_at` was asked for in
    expires_at: Micros

    def locale_for(self, wanted: str | None, fallback: str) -> str:
        """Return the locale to speak to someone in: theirs, else the deployment's, else any."""
        for locale in (wanted, (wanted or "").split("-")[0], fallback):
            if locale and locale in self.words:
                return locale
        return next(iter(self.words))
