"""The table of magic: which numbers, mailboxes and hooks meet which fate.

`docs/simulator.md` shows it to people; a test fails when the two differ.
"""

from dataclasses import dataclass
from enum import StrEnum


class Door(StrEnum):
    """What the REST API answers to a request that is in order."""

    OPEN = "open"
    REFUSED = "refused"  # 400 with the fate's code
    THROTTLED = "throttled"  # 429
    DENIED = "denied"  # 401
    BROKEN = "broken"  # 500, and nothing was accepted
    BROKEN_BOOKED = "broken_booked"  # 500, and yet it was accepted
    SILENT = "silent"  # no answer, and nothing was accepted
    SILENT_BOOKED = "silent_booked"  # no answer, and yet it was accepted
    GARBAGE = "garbage"  # 200 with HTML, from something that stands before the provider
    GARBAGE_BOOKED = "garbage_booked"
    CLOSED_BOOKED = "closed_booked"  # accepted, and the connection is closed without an answer
    ELSEWHERE = "elsewhere"  # 301


class Receipts(StrEnum):
    """What is said about a message afterwards."""

    ON_TIME = "on_time"
    NONE = "none"  # no callback; who asks hears "sent"
    LOST = "lost"  # no callback; who asks hears the truth
    SENT_ONLY = "sent_only"  # the carrier gives no receipts: "sent" is the last word
    LATE = "late"
    DOUBLED = "doubled"
    SHUFFLED = "shuffled"  # the last first


class Line(StrEnum):
    """What a call meets."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a number's messages and calls.

    `times`: only its first so many tries meet this fate, later ones are as any other number's.
    `code` is the provider's number for a refusal, or for a message that is not delivered.
    """

    says: str
    door: Door = Door.OPEN
    code: int = 0
    only: str = ""  # "sms" or "voice": what `door` stands before, both if empty
    times: int | None = None
    receipts: Receipts = Receipts.ON_TIME
    line: Line = Line.ANSWERED
    key: str = ""  # pressed on a call
    reply: str = ""  # sent back by SMS
    held: float = 0.0  # seconds until the message leaves the provider


#: By the last four digits, so that numbers of any country will do.
NUMBERS = {
    "0000": Fate(says="delivered; a person answers and presses nothing (as do all not listed)"),
    "0001": Fate(says='presses 1; replies "1" by SMS', key="1", reply="1"),
    "0002": Fate(says='presses 2; replies "2" by SMS', key="2", reply="2"),
    "0003": Fate(
        says="undelivered, 30003 (handset off); no answer", code=30003, line=Line.NO_ANSWER
    ),
    "0004": Fate(says="undelivered, 30004 (blocked)", code=30004),
    "0005": Fate(
        says="undelivered, 30005 (unknown handset); call fails", code=30005, line=Line.FAILED
    ),
    "0006": Fate(says="undelivered, 30006 (landline); a person answers", code=30006),
    "0007": Fate(says="undelivered, 30007 (filtered)", code=30007),
    "0008": Fate(says="undelivered, 30008 (unknown error)", code=30008),
    "0009": Fate(says='replies "STOP" by SMS', reply="STOP"),
    "0010": Fate(says="no receipt at all: who asks hears sent", receipts=Receipts.NONE),
    "0011": Fate(says="the last receipt comes 30 s late", receipts=Receipts.LATE),
    "0012": Fate(says="every receipt comes twice", receipts=Receipts.DOUBLED),
    "0013": Fate(says="receipts are shuffled: delivered before sent", receipts=Receipts.SHUFFLED),
    "0014": Fate(says="receipts are lost: who asks hears delivered", receipts=Receipts.LOST),
    "0015": Fate(says="leaves the provider after 60 s (30036 if no longer valid)", held=60.0),
    "0016": Fate(says="sent is the last word: its carrier gives none", receipts=Receipts.SENT_ONLY),
    "0020": Fate(says="busy", line=Line.BUSY),
    "0021": Fate(says="no answer", line=Line.NO_ANSWER),
    "0022": Fate(says="voicemail answers", line=Line.MACHINE),
    "0023": Fate(says="the call fails", line=Line.FAILED),
    "0033": Fate(says="undelivered, 30003, the first time; then delivered", code=30003, times=1),
    "0301": Fate(says="301 to elsewhere, not accepted", door=Door.ELSEWHERE),
    "0401": Fate(says="401, code 20003, not accepted", door=Door.DENIED),
    "0408": Fate(says="accepted, no answer (closed after 60 s)", door=Door.SILENT_BOOKED),
    "0409": Fate(says="no answer (closed after 60 s), not accepted", door=Door.SILENT),
    "0410": Fate(says="accepted, closed without an answer", door=Door.CLOSED_BOOKED),
    "0429": Fate(says="429, code 20429, twice; then delivered", door=Door.THROTTLED, times=2),
    "0500": Fate(says="accepted, answers 500", door=Door.BROKEN_BOOKED),
    "0501": Fate(says="answers 500, not accepted", door=Door.BROKEN),
    "0502": Fate(says="answers 500, not accepted, once; then delivered", door=Door.BROKEN, times=1),
    "0503": Fate(says="answers 200 with HTML, not accepted", door=Door.GARBAGE),
    "0504": Fate(says="accepted, answers 200 with HTML", door=Door.GARBAGE_BOOKED),
    "1211": Fate(says="refused, 21211 (invalid To)", door=Door.REFUSED, code=21211),
    "1214": Fate(
        says="call refused, 21214 (unreachable)", door=Door.REFUSED, code=21214, only="voice"
    ),
    "1215": Fate(says="call refused, 21215 (country)", door=Door.REFUSED, code=21215, only="voice"),
    "1408": Fate(says="SMS refused, 21408 (country)", door=Door.REFUSED, code=21408, only="sms"),
    "1610": Fate(
        says="SMS refused, 21610 (replied STOP)", door=Door.REFUSED, code=21610, only="sms"
    ),
    "1614": Fate(says="SMS refused, 21614 (no mobile)", door=Door.REFUSED, code=21614, only="sms"),
}

ORDINARY = NUMBERS["0000"]


class Bounce(StrEnum):
    """What comes back after an e-mail was accepted."""

    NONE = ""
    HARD = "hard"
    SOFT = "soft"
    DELAYED = "delayed"
    VACATION = "vacation"


class Dot(StrEnum):
    """What follows the final dot of an e-mail."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # the fate's reply
    CLOSED = "closed"
    CLOSED_BOOKED = "closed_booked"
    SILENT_BOOKED = "silent_booked"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFate:
    """What becomes of a mailbox's mail; `reply` to RCPT is empty where it is taken."""

    says: str
    reply: str = ""
    hangs_up: bool = False
    goes_on: bool = False  # answers 354 although the recipient was refused
    times: int | None = None
    dot: Dot = Dot.ACCEPTED
    dot_reply: str = ""
    bounce: Bounce = Bounce.NONE


#: By the local part up to its first "+": full@example.org, full+7@example.org.
MAILBOXES = {
    "421": MailFate(says="421 4.3.2 to RCPT, closed", reply="421 4.3.2 Going down", hangs_up=True),
    "451": MailFate(says="451 4.3.0 to RCPT", reply="451 4.3.0 Local error"),
    "full": MailFate(says="452 4.2.2 to RCPT", reply="452 4.2.2 Mailbox full"),
    "greylist": MailFate(
        says="450 4.2.0 to RCPT once; then accepted", reply="450 4.2.0 Greylisted", times=1
    ),
    "reject": MailFate(says="550 5.1.1 to RCPT", reply="550 5.1.1 No such user"),
    "reject-354": MailFate(
        says="550 5.1.1 to RCPT, 354 to DATA all the same",
        reply="550 5.1.1 No such user",
        goes_on=True,
    ),
    "policy": MailFate(says="550 5.7.1 to RCPT", reply="550 5.7.1 Refused by policy"),
    "disabled": MailFate(says="550 5.2.1 to RCPT", reply="550 5.2.1 Mailbox disabled"),
    "defer-after-data": MailFate(
        says="451 4.3.0 after the final dot", dot=Dot.REFUSED, dot_reply="451 4.3.0 Try again"
    ),
    "reject-after-data": MailFate(
        says="554 5.6.0 after the final dot", dot=Dot.REFUSED, dot_reply="554 5.6.0 Not taken"
    ),
    "drop-after-data": MailFate(says="accepted, closed after the final dot", dot=Dot.CLOSED_BOOKED),
    "lose-after-data": MailFate(says="closed after the final dot, not accepted", dot=Dot.CLOSED),
    "hang": MailFate(says="accepted, no answer to the final dot", dot=Dot.SILENT_BOOKED),
    "slow": MailFate(says="answers the final dot after 3 s", dot=Dot.SLOW),
    "bounce-later": MailFate(says="accepted, then bounces 5.1.1", bounce=Bounce.HARD),
    "full-later": MailFate(says="accepted, then bounces 5.2.2", bounce=Bounce.SOFT),
    "delayed": MailFate(says="accepted, then a notice of delay", bounce=Bounce.DELAYED),
    "vacation": MailFate(says="accepted, then an automatic reply", bounce=Bounce.VACATION),
}

PLAIN_MAILBOX = MailFate(says="accepted")


class Hook(StrEnum):
    """What the webhook listener does at /hook/<name>, or /hook/<name>/<anything>."""

    OK = "ok"
    NO_CONTENT = "204"
    BAD = "400"
    NOT_FOUND = "404"
    GONE = "410"
    THROTTLED = "429"
    BROKEN = "500"
    AWAY = "503"
    FLAKY = "503-then-ok"
    SLOW = "slow"
    HANG = "hang"
    REDIRECT = "redirect"
    ENDLESS = "endless"
    GARBAGE = "garbage"
    CLOSE = "close"


HOOKS = {
    Hook.OK: "200 (as does every name not listed)",
    Hook.NO_CONTENT: "204",
    Hook.BAD: "400",
    Hook.NOT_FOUND: "404",
    Hook.GONE: "410",
    Hook.THROTTLED: "429 with Retry-After: 2, twice for each webhook-id; then 200",
    Hook.BROKEN: "500",
    Hook.AWAY: "503",
    Hook.FLAKY: "503 once for each webhook-id; then 200",
    Hook.SLOW: "200 after 3 s",
    Hook.HANG: "heard, no answer (closed after 60 s)",
    Hook.REDIRECT: "302 to /hook/ok/redirected",
    Hook.ENDLESS: "200, and a body that does not end",
    Hook.GARBAGE: "heard, answers something that is no HTTP",
    Hook.CLOSE: "heard, closed without an answer",
}


def mailbox_of(address: str) -> str:
    """Return the part of an address that `MAILBOXES` goes by."""
    return address.rpartition("@")[0].partition("+")[0].lower()
