"""Words and envelopes: what an alert says in one locale, and what one attempt adds to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kentongan.alert import AlertType, Lane, Mode, Option, Severity
from kentongan.ids import AlertId, AttemptRef

__all__ = ["Envelope", "Option", "Preview", "Wording"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What one alert says in one locale on one channel: blanks filled, cleaned, drills marked.

    `structured` is what machines get beside the words (webhooks): the alert's CAP values.
    """

    alert_id: AlertId
    mode: Mode
    type: AlertType
    severity: Severity
    lane: Lane
    locale: str
    headline: str
    text: str
    options: tuple[Option, ...] = ()
    references: tuple[AlertId, ...] = ()
    accepted_at: datetime
    expires_at: datetime
    structured: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)  # not frozen: one is made per message, in a third of the time
class Envelope:
    """What is particular to one attempt: whom it is for, and how its traces find back to us.

    `remaining` is the alert's life left in seconds when the attempt was claimed; `response_url`
    the recipient's own page; `sender` whom it comes from, the channel's first where it is empty.
    """

    attempt: AttemptRef
    address: str
    name: str = ""
    lane: Lane
    remaining: float
    capped: bool = True  # caps, such as the list of countries, bind it
    response_url: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A message as its channel would carry it, for a dry run.

    `excess` says why it could never be sent, as a sentence for its author: text, headline and
    answers may each be within their limits and be too much together. Empty where it can be sent.
    """

    text: str
    subject: str = ""
    units: int = 1
    notes: tuple[str, ...] = ()
    excess: str = ""
