"""What a caller asks us to say, in CAP 1.2's words where CAP has one."""

from enum import StrEnum


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


def lane_of(severity: Severity, urgency: Urgency, *, correction: bool) -> Lane:
    """Flash: extreme; or severe and immediate; corrections and all clears (design, section 3)."""
    urgent = severity is Severity.EXTREME or (
        severity is Severity.SEVERE and urgency is Urgency.IMMEDIATE
    )
    return Lane.FLASH if urgent or correction else Lane.ROUTINE
