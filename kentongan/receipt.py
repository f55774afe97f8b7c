"""What providers and people say later: receipts, answers, and messages of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kentongan.ids import AttemptRef


class ReceiptKind(StrEnum):
    """How far a message got, as its provider tells it."""

    NONE = "none"
    ACCEPTED = "accepted"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    MACHINE = "machine"  # a call that voicemail answered: never an acknowledgement
    ANSWERED = "answered"  # a call that a person answered
    DELIVERED = "delivered"
    READ = "read"


#: Receipts come late, doubled, shuffled; an attempt keeps the highest rank seen. Since a maximum
#: has no order, no order of arrival can change the end (tested over permutations).
RANK: dict[ReceiptKind, int] = {
    ReceiptKind.NONE: 0,
    ReceiptKind.ACCEPTED: 10,
    ReceiptKind.QUEUED: 20,
    ReceiptKind.SENDING: 30,
    ReceiptKind.SENT: 40,
    ReceiptKind.FAILED: 50,
    ReceiptKind.MACHINE: 52,
    ReceiptKind.ANSWERED: 55,
    ReceiptKind.DELIVERED: 60,
    ReceiptKind.READ: 70,
}
KIND_OF_RANK = {rank: kind for kind, rank in RANK.items()}

#: From here on a receipt of *any* attempt counts for the delivery, not only the latest one's.
REACHED_RANK = RANK[ReceiptKind.ANSWERED]


def highest(kinds: Iterable[ReceiptKind]) -> ReceiptKind:
    return max(kinds, key=RANK.__getitem__, default=ReceiptKind.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a provider says became of one attempt.

    `attempt` comes from our own URL or envelope and finds its row even before the provider's id
    was written; `provider_id` must then fit. `transient` marks a failure that a later attempt may
    not meet. `word` and `code` are the provider's own, kept beside ours.
    """

    kind: ReceiptKind
    attempt: AttemptRef | None = None
    provider_id: str | None = None
    reason: str | None = None
    transient: bool = False
    word: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """An answer tied to one attempt: a key pressed on a call."""

    attempt: AttemptRef
    key: str
    provider_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message that someone sent to us: an answer, a STOP word, or neither."""

    address: str  # whom it came from, in the channel's normal form
    to: str
    body: str
    provider_id: str  # unique per message: a repeated callback is the same message


Report = Receipt | Pressed | Inbound
