"""What a channel answers at once when it is asked to send one message."""

from asyncio import CancelledError
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from kentongan.receipt import ReceiptKind


class Reason(StrEnum):
    """Why a message did not get through; stored, counted, shown (docs/states.md explains each)."""

    # may pass
    UNREACHABLE = "unreachable"  # handset off, no signal, busy network
    NO_CONNECTION = "no_connection"  # DNS, connect, TLS: nothing was sent
    THROTTLED = "throttled"
    DAILY_LIMIT = "daily_limit"
    CONGESTION = "congestion"
    MAILBOX_FULL = "mailbox_full"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    PROVIDER_TROUBLE = "provider_trouble"  # it said that it failed, and that it is safe to repeat
    # will not pass for this contact point
    INVALID_ADDRESS = "invalid_address"
    NO_ROUTE = "no_route"
    OPTED_OUT = "opted_out"
    GONE = "gone"  # a webhook receiver answered 410
    # will not pass for this message
    CONTENT = "content"
    REJECTED = "rejected"
    FRAUD_BLOCK = "fraud_block"
    # faults of ours: of the account, of one sender, of one kind of destination
    ACCOUNT = "account"
    SENDER = "sender"
    DESTINATION = "destination"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    BLOCKED_HOST = "blocked_host"  # the guard against requests into our own network
    BUG = "bug"
    # nobody knows
    NO_REPLY = "no_reply"  # the request left; no (whole) answer came
    SERVER_ERROR = "server_error"  # a 5xx after the request left
    GARBLED_REPLY = "garbled_reply"
    WORKER_DIED = "worker_died"
    # ours to decide
    EXPIRED = "expired"
    STOPPED = "stopped"
    PAUSED = "paused"
    SUPPRESSED = "suppressed"
    LEASE_LOST = "lease_lost"
    HANDED_BACK = "handed_back"
    PERSON_RATE = "person_rate"  # they had as many messages lately as one person may get
    SPEND_CAP = "spend_cap"  # what may be spent in a day or a month is spent
    POISON = "poison"  # whoever sent it died of it, again and again
    ATTEMPTS_USED_UP = "attempts_used_up"
    NOT_PRACTISABLE = "not_practisable"  # a test alert on a channel without a simulator
    NOT_CONFIGURED = "not_configured"


#: A fault of the whole account stops that provider after three; it resumes by probe.
ACCOUNT_FAULTS = frozenset({Reason.ACCOUNT})
#: A fault of one sender sets that sender aside.
SENDER_FAULTS = frozenset({Reason.SENDER})
#: A fault of one country or domain refuses that delivery and warns once; it never stops a channel.
DESTINATION_FAULTS = frozenset({Reason.DESTINATION})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message; receipts may follow under this id.

    `receipt` is what its answer already proves: a 2xx of a webhook receiver is a delivery, a 250
    of a relay is a hand-over, Twilio's 201 is no more than *accepted*.
    """

    provider_id: str | None = None
    receipt: ReceiptKind = ReceiptKind.ACCEPTED


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not this time and certainly not sent, but a later attempt may succeed.

    `counted` is false where the fault is not the message's (throttled, our account): such an
    attempt is not charged to the delivery.
    """

    reason: Reason
    detail: str = ""
    retry_after: timedelta | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not sent, and no later attempt will succeed unless a human changes something."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The first byte may have left and no clear answer came: it may have been sent or not."""

    reason: Reason
    detail: str = ""
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Claimed, but stopped before its first byte; it counts neither as a try nor as sent."""

    reason: Reason


Outcome = Accepted | Deferred | Refused | Unknown | NotBegun


class NotBegunError(Exception):
    """Raised by the gate between holding the connection and the first byte."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class CutUnsentError(CancelledError):
    """A send was cancelled that had passed the gate and handed nothing over: it was not begun."""
