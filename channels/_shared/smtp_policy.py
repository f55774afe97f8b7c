"""What a relay's replies and a bounce's status codes mean, in our words.

The rules come from RFC 5321 (section 4.2), RFC 3463 (enhanced codes) and their IANA registry. The
enhanced code is looked at first: 550 alone may be a mailbox, a policy or a loop.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from kentongan.outcome import Deferred, Outcome, Reason, Refused, Unknown

#: How much of a relay's words is kept.
LONGEST_DETAIL = 500
#: A relay that closes the door (421) is left alone this long; the attempt is not charged.
CLOSED_DOOR = timedelta(seconds=10)

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")


class Stage(StrEnum):
    """Which command a reply answers."""

    CONNECT = "connect"
    LOGIN = "login"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Reply:
    """A relay's answer to one command; the lines of a long one are joined by blanks."""

    code: int
    text: str = ""

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 300

    @property
    def status(self) -> str:
        """The enhanced code, empty where there is none that says more than the reply code.

        One of another class than the reply's is none either: RFC 2034 asks them to agree, and
        which of the two is the mistake cannot be known.
        """
        found = _ENHANCED.match(self.text)
        if found is None or int(found[1]) != self.code // 100 or found[0].endswith(".0.0"):
            return ""
        return found[0]

    def words(self) -> str:
        """Return code and text for the record: printable (NUL breaks databases) and bounded."""
        return printable(f"{self.code} {self.text}")


def printable(text: str) -> str:
    """Make a stranger's words fit for the record."""
    shown = "".join(c if c.isprintable() else " " for c in text[: 2 * LONGEST_DETAIL])
    return shown.strip()[:LONGEST_DETAIL]


#: Permanent failures by "subject.detail" of the enhanced code, then by its subject alone.
_PERMANENT = {
    "1.7": Reason.SENDER,
    "1.8": Reason.SENDER,
    "1.10": Reason.NO_ROUTE,  # null MX (RFC 7505)
    "1": Reason.INVALID_ADDRESS,
    "2.1": Reason.INVALID_ADDRESS,  # disabled
    "2.2": Reason.MAILBOX_FULL,
    "2.3": Reason.CONTENT,  # longer than this mailbox takes
    "2": Reason.REJECTED,
    "3.2": Reason.NO_ROUTE,  # the host accepts no mail
    "3.4": Reason.CONTENT,  # longer than this host takes
    "3": Reason.REJECTED,
    "4.7": Reason.UNREACHABLE,  # tried for days
    "4": Reason.NO_ROUTE,
    "5.3": Reason.THROTTLED,  # too many recipients
    "5": Reason.BUG,
    "6.7": Reason.INVALID_ADDRESS,  # needs SMTPUTF8 further on
    "6": Reason.CONTENT,
    "7": Reason.DESTINATION,  # policy: against us, not against the person
}
_TRANSIENT = {
    "2.2": Reason.MAILBOX_FULL,
    "2": Reason.BUSY,
    "4": Reason.UNREACHABLE,
    "5.3": Reason.THROTTLED,
    "7": Reason.THROTTLED,  # greylisted, or too much from us
}
#: Permanent by their code, yet a later attempt may succeed.
_SOFT = frozenset({Reason.MAILBOX_FULL, Reason.THROTTLED, Reason.UNREACHABLE})

#: Replies without a usable enhanced code.
_BY_CODE = {
    421: Reason.THROTTLED,
    450: Reason.BUSY,
    452: Reason.MAILBOX_FULL,
    455: Reason.DESTINATION,
    500: Reason.BUG,
    501: Reason.BUG,
    502: Reason.BUG,
    503: Reason.BUG,
    504: Reason.BUG,
    521: Reason.NO_ROUTE,
    523: Reason.CONTENT,
    551: Reason.INVALID_ADDRESS,
    555: Reason.DESTINATION,
    556: Reason.NO_ROUTE,
}
#: The same, where the reply answers RCPT TO and so speaks of the person's address.
_BY_CODE_OF_RCPT = {
    550: Reason.INVALID_ADDRESS,
    552: Reason.MAILBOX_FULL,
    553: Reason.INVALID_ADDRESS,
}
_BY_CODE_OF_SIZE = {552: Reason.CONTENT}
#: The relay wants other credentials, or TLS, whatever it says besides.
_ACCOUNT_CODES = frozenset({530, 534, 535, 538})
#: A relay that refuses us here refuses every message.
_BEFORE_ENVELOPE = frozenset({Stage.CONNECT, Stage.LOGIN})
#: Refusals that many relays take back: the first attempt only defers.
_ONCE_MORE = frozenset({"5.4.1"})


def classify(status: str) -> tuple[Reason, bool]:
    """Return the reason behind an enhanced code such as `5.1.1`, and whether it may pass."""
    kind, subject, detail = status.split(".")
    table, default = (
        (_TRANSIENT, Reason.PROVIDER_TROUBLE) if kind == "4" else (_PERMANENT, Reason.REJECTED)
    )
    reason = table.get(f"{subject}.{detail}") or table.get(subject, default)
    return reason, kind == "4" or reason in _SOFT


def status_in(text: str) -> str:
    """Return the first enhanced failure code in a text, empty if there is none."""
    return next((m[0] for m in _ENHANCED.finditer(text) if m[1] != "2"), "")


def outcome_of(reply: Reply, stage: Stage, attempt_no: int) -> Outcome:
    """Translate a reply that is not the hoped-for one."""
    if not 400 <= reply.code < 600:
        return _out_of_place(reply, stage)
    if reply.code in _ACCOUNT_CODES or (stage in _BEFORE_ENVELOPE and reply.code >= 500):
        return Deferred(Reason.ACCOUNT, reply.words(), counted=False)
    if reply.code == 421:
        return Deferred(Reason.THROTTLED, reply.words(), CLOSED_DOOR, counted=False)
    reason, may_pass = reason_of(reply, stage)
    if reason is Reason.SENDER:
        return Deferred(reason, reply.words(), counted=False)
    if may_pass or (attempt_no == 1 and _is_once_more(reply)):
        return Deferred(reason, reply.words())
    return Refused(reason, reply.words())


def reason_of(reply: Reply, stage: Stage) -> tuple[Reason, bool]:
    """Return the reason behind a refusal, and whether a later attempt may succeed."""
    by_stage = {
        Stage.RCPT: _BY_CODE_OF_RCPT,
        Stage.MAIL: _BY_CODE_OF_SIZE,
        Stage.CONTENT: _BY_CODE_OF_SIZE,
    }.get(stage, {})
    if reply.status:
        reason, may_pass = classify(reply.status)
    elif reply.code < 500:
        reason, may_pass = _BY_CODE.get(reply.code, Reason.PROVIDER_TROUBLE), reply.code != 455
    else:
        reason = by_stage.get(reply.code) or _BY_CODE.get(reply.code, Reason.REJECTED)
        may_pass = reason in _SOFT
    if stage is Stage.MAIL and reason in _BLAMES_WHO_SPEAKS and reply.code >= 500:
        return Reason.SENDER, False
    return reason, may_pass


#: At MAIL FROM only our own address has been named, so these cannot be the person's.
_BLAMES_WHO_SPEAKS = frozenset(
    {Reason.INVALID_ADDRESS, Reason.REJECTED, Reason.DESTINATION, Reason.NO_ROUTE}
)


def _is_once_more(reply: Reply) -> bool:
    return reply.status in _ONCE_MORE or (reply.code == 554 and not reply.status)


def _out_of_place(reply: Reply, stage: Stage) -> Outcome:
    detail = f"after {stage}: {reply.words()}"
    if stage is Stage.CONTENT:
        return Unknown(Reason.GARBLED_REPLY, detail)
    return Deferred(Reason.PROVIDER_TROUBLE, detail)
