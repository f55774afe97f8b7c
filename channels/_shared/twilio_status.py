"""Twilio's words for how far a message or call got, as receipts.

https://www.twilio.com/docs/messaging/api/message-resource#message-status-values,
https://www.twilio.com/docs/voice/api/call-resource#call-status-values. A word that we do not know
is kept, and says nothing about the message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from channels._shared.twilio_policy import Meaning, meaning_of
from kentongan.ids import AttemptRef
from kentongan.outcome import Reason
from kentongan.receipt import Receipt, ReceiptKind

MESSAGE_KIND_OF: Mapping[str, ReceiptKind] = MappingProxyType(
    {
        "accepted": ReceiptKind.ACCEPTED,
        "scheduled": ReceiptKind.ACCEPTED,
        "queued": ReceiptKind.QUEUED,
        "sending": ReceiptKind.SENDING,
        "sent": ReceiptKind.SENT,
        "partially_delivered": ReceiptKind.SENT,  # a text with a part missing may be unreadable
        "failed": ReceiptKind.FAILED,
        "undelivered": ReceiptKind.FAILED,
        "canceled": ReceiptKind.FAILED,
        "delivered": ReceiptKind.DELIVERED,
        "read": ReceiptKind.READ,
    }
)

#: "in-progress" and "completed" say that something answered; who it was, `AnsweredBy` says.
CALL_KIND_OF: Mapping[str, ReceiptKind] = MappingProxyType(
    {
        "queued": ReceiptKind.QUEUED,
        "initiated": ReceiptKind.QUEUED,
        "ringing": ReceiptKind.SENDING,
        "in-progress": ReceiptKind.SENT,
        "completed": ReceiptKind.SENT,
        "busy": ReceiptKind.FAILED,
        "no-answer": ReceiptKind.FAILED,
        "failed": ReceiptKind.FAILED,
        "canceled": ReceiptKind.FAILED,
    }
)

_STOPPED = Meaning(reason=Reason.STOPPED, transient=False)
#: What a word of failure says where no code says more. A message that *failed* never left Twilio
#: and may be tried again; one that was *undelivered* met a carrier, who said no.
_MEANING_OF_WORD = {
    "canceled": _STOPPED,
    "failed": Meaning(reason=Reason.REJECTED, transient=True),
    "undelivered": Meaning(reason=Reason.REJECTED, transient=False),
    "busy": Meaning(reason=Reason.BUSY, transient=True),
    "no-answer": Meaning(reason=Reason.NO_ANSWER, transient=True),
}
#: SIP's words for "there is no such number": RFC 3261, sections 21.4.5, 21.4.22 and 21.6.3.
_NO_SUCH_NUMBER = frozenset({"404", "484", "604"})

#: Most of a word or code that is kept; Twilio's longest has nineteen letters.
MOST_LETTERS = 40

_CODE = re.compile("[0-9]{5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What Twilio said of one message or call, in a callback or when asked."""

    word: str
    code: str = ""
    provider_id: str | None = None
    attempt: AttemptRef | None = None
    answered_by: str = ""
    sip_code: str = ""


def of_message(said: Said) -> Receipt:
    """Return the receipt of an SMS."""
    return _receipt(said, MESSAGE_KIND_OF.get(said.word, ReceiptKind.NONE))


def of_call(said: Said) -> Receipt:
    """Return the receipt of a call. What a machine answered was heard by nobody yet."""
    kind = CALL_KIND_OF.get(said.word, ReceiptKind.NONE)
    if kind is ReceiptKind.SENT:
        kind = _kind_by_who(said.answered_by)
    return _receipt(said, kind)


def is_machine(answered_by: str) -> bool:
    """Tell whether `AnsweredBy` names something that cannot acknowledge."""
    return answered_by.startswith("machine_") or answered_by == "fax"


def _kind_by_who(answered_by: str) -> ReceiptKind:
    if is_machine(answered_by):
        return ReceiptKind.MACHINE
    return ReceiptKind.ANSWERED if answered_by == "human" else ReceiptKind.SENT


def _receipt(said: Said, kind: ReceiptKind) -> Receipt:
    meaning = _why(said) if kind is ReceiptKind.FAILED else None
    return Receipt(
        kind=kind,
        attempt=said.attempt,
        provider_id=said.provider_id,
        reason=meaning.reason if meaning else None,
        transient=meaning.transient if meaning else False,
        word=said.word[:MOST_LETTERS],
        code=said.code[:MOST_LETTERS],
    )


def _why(said: Said) -> Meaning:
    if _CODE.fullmatch(said.code) and (known := meaning_of(int(said.code))):
        return known
    if said.sip_code in _NO_SUCH_NUMBER:
        return Meaning(reason=Reason.INVALID_ADDRESS, transient=False)
    return _MEANING_OF_WORD[said.word]
