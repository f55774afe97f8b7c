"""One message to one contact point of one step of one alert: its three parts and what they show."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Work(StrEnum):
    """Our part. Only guarded single statements move it (docs/states.md draws the moves)."""

    PENDING = "pending"
    ATTEMPTING = "attempting"
    SETTLED = "settled"
    RETRY_WAIT = "retry_wait"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    STOPPED = "stopped"


#: Work that has not ended: the alert is not done while any delivery stands here.
OPEN_WORK = frozenset({Work.PENDING, Work.ATTEMPTING, Work.RETRY_WAIT, Work.UNKNOWN})


class State(StrEnum):
    """What a delivery shows: the first of these that holds, in this order."""

    ACKNOWLEDGED = "acknowledged"
    READ = "read"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    MACHINE = "machine"
    FAILED = "failed"
    SENT = "sent"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    SENDING = "sending"
    WAITING = "waiting"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    STOPPED = "stopped"


class PersonState(StrEnum):
    """What a person shows: the best of their deliveries, in this order."""

    ACKNOWLEDGED = "acknowledged"
    REACHED = "reached"
    HANDED_OVER = "handed_over"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    NOT_REACHED = "not_reached"
    NO_CONTACT_POINT = "no_contact_point"


#: What each state of a delivery means for the person behind it.
PERSON_STATE_OF: Mapping[State, PersonState] = MappingProxyType(
    {
        State.ACKNOWLEDGED: PersonState.ACKNOWLEDGED,
        State.READ: PersonState.REACHED,
        State.DELIVERED: PersonState.REACHED,
        State.ANSWERED: PersonState.REACHED,
        State.MACHINE: PersonState.HANDED_OVER,
        State.SENT: PersonState.HANDED_OVER,
        State.ACCEPTED: PersonState.HANDED_OVER,
        State.UNKNOWN: PersonState.UNKNOWN,
        State.SENDING: PersonState.WAITING,
        State.WAITING: PersonState.WAITING,
        State.FAILED: PersonState.NOT_REACHED,
        State.SUPPRESSED: PersonState.NOT_REACHED,
        State.EXPIRED: PersonState.NOT_REACHED,
        State.STOPPED: PersonState.NOT_REACHED,
    }
)

#: Nothing that we do will change these (a late receipt still may).
FINAL_STATES = frozenset(State) - {State.WAITING, State.SENDING, State.UNKNOWN}
#: Handed over, but whether it arrived is still open while receipts may come.
HANDED_OVER_STATES = frozenset({State.SENT, State.ACCEPTED, State.MACHINE})


class Cause(StrEnum):
    """Why a person has no delivery."""

    NO_CONTACT_POINT = "no_contact_point"
    NO_POINT_ON_CHANNELS = "no_point_on_channels"  # some, but on none of the alert's channels
