"""What Twilio's error codes mean for us: one table, and a default for codes we do not know.

Numbers and meanings: https://www.twilio.com/docs/api/errors. Twilio says that codes may change, so
nothing here depends on knowing one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from channels._shared.twilio_http import ReplyError
from kentongan.outcome import Deferred, Outcome, Reason, Refused, Unknown

#: Most of a provider's words that is kept with an attempt.
MOST_WORDS = 500


class Fault(StrEnum):
    """Kinds of trouble that ask for the same reaction."""

    THROTTLE = "THROTTLE"  # never processed, always safe to repeat
    THROTTLE_DAY = "THROTTLE_DAY"  # closed for today: another channel, now
    AMBIGUOUS = "AMBIGUOUS"  # may have been sent
    TRANSIENT = "TRANSIENT"
    TRANSIENT_LONG = "TRANSIENT_LONG"
    PERM_ADDRESS = "PERM_ADDRESS"
    PERM_ROUTE = "PERM_ROUTE"
    CONTENT = "CONTENT"
    OPT_OUT = "OPT_OUT"
    FRAUD_BLOCK = "FRAUD_BLOCK"
    EXPIRED = "EXPIRED"
    CONFIG_ACCOUNT = "CONFIG_ACCOUNT"
    CONFIG_SENDER = "CONFIG_SENDER"
    CONFIG_DESTINATION = "CONFIG_DESTINATION"
    OURS = "OURS"  # our server or our TwiML
    IGNORE = "IGNORE"  # a cancel that came too late


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a code says: why, and whether a later attempt may not meet it again."""

    reason: Reason
    transient: bool


_FAULTS = {
    Fault.THROTTLE: (10004, 20429, 21611, 30001, 30022),
    Fault.THROTTLE_DAY: (30023, 30027, 63038),
    Fault.AMBIGUOUS: (20500, 20503, 30410),
    Fault.TRANSIENT: (30003, 30008, 30017, 30020),
    Fault.TRANSIENT_LONG: (30035,),
    Fault.PERM_ADDRESS: (13224, 13225, 21211, 21214, 21216, 21217, 21614, 30005, 30006),
    Fault.PERM_ROUTE: (21612, 30004),
    Fault.CONTENT: (20422, 21617, 21619, 30007, 30019),
    Fault.OPT_OUT: (21610,),
    Fault.FRAUD_BLOCK: (30450,),
    Fault.EXPIRED: (30036,),
    Fault.CONFIG_ACCOUNT: (10001, 20003, 20005, 20006, 20404, 21701, 30002),
    Fault.CONFIG_SENDER: (
        *(21210, 21212, 21603, 21606, 21609, 30010, 30018, 30024, 30032, 30033, 30034),
    ),
    Fault.CONFIG_DESTINATION: (21215, 21219, 21408, 21608, 21703),
    Fault.OURS: (11200, 11205, 11750, 12100, 12300),
    Fault.IGNORE: (21220,),
}
FAULT_OF: Mapping[int, Fault] = MappingProxyType(
    {code: fault for fault, codes in _FAULTS.items() for code in codes}
)

_MEANING_OF = {
    Fault.THROTTLE: Meaning(reason=Reason.THROTTLED, transient=True),
    Fault.THROTTLE_DAY: Meaning(reason=Reason.DAILY_LIMIT, transient=False),
    Fault.AMBIGUOUS: Meaning(reason=Reason.SERVER_ERROR, transient=False),
    Fault.TRANSIENT: Meaning(reason=Reason.UNREACHABLE, transient=True),
    Fault.TRANSIENT_LONG: Meaning(reason=Reason.SENDER, transient=True),
    Fault.PERM_ADDRESS: Meaning(reason=Reason.INVALID_ADDRESS, transient=False),
    Fault.PERM_ROUTE: Meaning(reason=Reason.NO_ROUTE, transient=False),
    Fault.CONTENT: Meaning(reason=Reason.CONTENT, transient=False),
    Fault.OPT_OUT: Meaning(reason=Reason.OPTED_OUT, transient=False),
    Fault.FRAUD_BLOCK: Meaning(reason=Reason.FRAUD_BLOCK, transient=False),
    Fault.EXPIRED: Meaning(reason=Reason.EXPIRED, transient=False),
    Fault.CONFIG_ACCOUNT: Meaning(reason=Reason.ACCOUNT, transient=True),
    Fault.CONFIG_SENDER: Meaning(reason=Reason.SENDER, transient=False),
    Fault.CONFIG_DESTINATION: Meaning(reason=Reason.DESTINATION, transient=False),
    Fault.OURS: Meaning(reason=Reason.BUG, transient=False),
    Fault.IGNORE: Meaning(reason=Reason.REJECTED, transient=False),
}

#: Codes whose reason says more than that of their kind.
_REASON_OF = {
    30008: Reason.PROVIDER_TROUBLE,
    30017: Reason.CONGESTION,
    30020: Reason.PROVIDER_TROUBLE,
    30410: Reason.NO_REPLY,
}


def meaning_of(code: int) -> Meaning | None:
    """Return what a code says of a message that failed; None for a code we do not know."""
    fault = FAULT_OF.get(code)
    if fault is None:
        return None
    meaning = _MEANING_OF[fault]
    return Meaning(reason=_REASON_OF.get(code, meaning.reason), transient=meaning.transient)


def outcome_of(reply: ReplyError, hidden: Iterable[str]) -> Outcome:
    """Say in our words what Twilio answered to a message. `hidden` is kept out of the detail."""
    said = f"HTTP {reply.status}" if reply.code is None else f"{reply.code} (HTTP {reply.status})"
    detail = _without(hidden, f"{said}: {reply.words}" if reply.words else said)
    if not 400 <= reply.status < 500 or reply.status == 408:
        server = reply.status >= 500 or reply.status == 408
        return Unknown(Reason.SERVER_ERROR if server else Reason.GARBLED_REPLY, detail)
    fault = FAULT_OF.get(reply.code or 0, _by_status(reply.status))
    if fault is None:
        return Refused(Reason.REJECTED, detail)
    return _outcome(fault, meaning_of(reply.code or 0) or _MEANING_OF[fault], detail, reply)


def _by_status(status: int) -> Fault | None:
    match status:
        case 429:
            return Fault.THROTTLE
        case 401 | 402 | 403 | 404 | 407:
            return Fault.CONFIG_ACCOUNT
        case _:
            return None


def _outcome(fault: Fault, meaning: Meaning, detail: str, reply: ReplyError) -> Outcome:
    match fault:
        case Fault.AMBIGUOUS:
            return Unknown(meaning.reason, detail)
        case Fault.THROTTLE | Fault.CONFIG_ACCOUNT | Fault.CONFIG_SENDER | Fault.TRANSIENT_LONG:
            return Deferred(meaning.reason, detail, reply.retry_after, counted=False)
        case Fault.TRANSIENT:
            return Deferred(meaning.reason, detail, reply.retry_after)
        case _:
            return Refused(meaning.reason, detail)


def _without(hidden: Iterable[str], words: str) -> str:
    for secret in hidden:
        if secret:
            words = words.replace(secret, "…")
    return words[:MOST_WORDS]
