"""What a mail that came to one of our return addresses says about the letter it answers.

Whose letter is settled by the address (VERP); here only what became of it is read: from the machine
part of a delivery report (RFC 3464), else, where there is none, from how bounces usually look.
Answering machines (RFC 3834), complaints and all other mail say nothing.
"""

import binascii
import email
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

from channels._shared.smtp_policy import Reply, Stage, classify, printable, reason_of, status_in
from kentongan.ids import AttemptRef
from kentongan.outcome import Reason
from kentongan.receipt import Receipt, ReceiptKind

#: A bounce brings its original along at worst; what is longer is not read.
LONGEST_BOUNCE = 1024 * 1024
#: How much of a bounce's prose is looked through for codes.
_LONGEST_PROSE = 20_000

#: RFC 3464, section 2.3.3. `relayed` and `expanded` left the world of reports: nobody saw more.
_KIND_OF_ACTION = {
    "failed": ReceiptKind.FAILED,
    "delivered": ReceiptKind.DELIVERED,
    "delayed": ReceiptKind.SENT,
    "relayed": ReceiptKind.SENT,
    "expanded": ReceiptKind.SENT,
}
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_OTHER_REPORTS = frozenset({"message/feedback-report", "message/disposition-notification"})

#: Programs that answer for people, in the languages that our people's programs speak.
_ANSWERING_MACHINE = re.compile(
    r"\b(auto(matic)?[- ]?(repl|respon|answer)|out of (the )?office|on vacation|away from)"
    r"|balasan otomatis|di luar kantor|sedang cuti",
    re.IGNORECASE,
)
_LOOKS_BOUNCED = re.compile(
    r"undeliver|returned mail|failure notice|bounce|(mail|message|delivery) (has )?(fail|error)"
    r"|(fail|permanent|error).*deliver|deliver\w*.*(fail|status|notification|delay|error)"
    r"|could not be delivered|delayed",
    re.IGNORECASE,
)
_LOOKS_DELAYED = re.compile(
    r"^(?!.*(fail|return)).*(delay|still being retried|\bwarning\b)", re.IGNORECASE
)
_FROM_MACHINE = re.compile(r"mailer-daemon|mail[ .-]delivery", re.IGNORECASE)
_FROM_POSTMASTER = re.compile(r"postmaster|administrator|<>", re.IGNORECASE)

_REPLY_CODE = re.compile(r"(?<![\d.:-])([45][0-5]\d)[ -](?!\d)(.{0,200})")
#: Where a bounce has no code at all, its words; the first that fits.
_STATUS_OF_WORDS = (
    (r"(quota|mailbox|storage).{0,40}(full|exceed)|over quota", "5.2.2"),
    (r"(user|recipient|mailbox|address).{0,40}(unknown|not listed)", "5.1.1"),
    (r"(no such|unknown|invalid) (user|recipient|mailbox|address)", "5.1.1"),
    (r"host.{0,40}(unknown|not found)|no such (host|domain)", "5.1.2"),
    (r"timed? ?out|retry timeout|expired", "5.4.7"),
)


def receipt_of(raw: bytes, attempt: AttemptRef) -> Receipt | None:
    """Read a mail that came to the attempt's return address. Raises nothing."""
    if len(raw) > LONGEST_BOUNCE:
        return None
    try:
        mail = email.message_from_bytes(raw)
        parts = list(mail.walk())
        told = [each for part in parts for each in _told_by(part)]
        return _worst(told, attempt) if told else _guessed(mail, parts, attempt)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError):
        # The library sets no limit to what a hostile mail may make it raise; such a mail is kept
        # raw by whoever called and says nothing.
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a report says of one recipient."""

    action: str
    status: str
    diagnostic: str

    @property
    def kind(self) -> ReceiptKind:
        if self.action:  # "deliverable", say, answers a question that we never ask
            return _KIND_OF_ACTION.get(self.action, ReceiptKind.NONE)
        return _KIND_OF_CLASS.get(self.status[:1], ReceiptKind.NONE)


#: For reports that forget the action: the first digit of the status.
_KIND_OF_CLASS = {
    "2": ReceiptKind.DELIVERED,
    "4": ReceiptKind.SENT,
    "5": ReceiptKind.FAILED,
}


def _worst(told: Sequence[_Told], attempt: AttemptRef) -> Receipt | None:
    """Choose from the machine part: an address may stand for several people."""
    known = [each for each in told if each.kind is not ReceiptKind.NONE]
    if not known:
        return None
    return _receipt(min(known, key=lambda each: _WORST_FIRST.index(each.kind)), attempt)


_WORST_FIRST = (ReceiptKind.FAILED, ReceiptKind.SENT, ReceiptKind.DELIVERED)


def _told_by(part: Message) -> Iterator[_Told]:
    if part.get_content_type() not in _REPORTS:
        return
    for paragraph in re.split(r"\n[ \t]*\n", _text_of_report(part)):
        fields = _fields(paragraph)
        if "action" in fields or "status" in fields:
            yield _told(fields)


def _text_of_report(part: Message) -> str:
    """Undo what the library makes of it: a list of headers without bodies, or one with a body."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return _decoded(part)
    blocks = []
    for block in payload:
        if not isinstance(block, Message):
            continue
        blocks.append("\n".join(f"{name}: {value}" for name, value in block.items()))
        rest = block.get_payload()
        blocks.append(rest if isinstance(rest, str) else "")
    text = "\n\n".join(blocks).replace("\r\n", "\n")
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
        text = binascii.a2b_base64(text).decode("utf-8", "replace").replace("\r\n", "\n")
    return text


def _fields(paragraph: str) -> dict[str, str]:
    unfolded = re.sub(r"\n[ \t]+", " ", paragraph)
    pairs = (line.partition(":") for line in unfolded.split("\n"))
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _told(fields: Mapping[str, str]) -> _Told:
    action = re.match(r"[A-Za-z]*", fields.get("action", ""))
    status = re.search(r"[245]\.\d{1,3}\.\d{1,3}", fields.get("status", ""))
    return _Told(
        action=action[0].lower() if action else "",
        status=status[0] if status else "",
        diagnostic=fields.get("diagnostic-code", ""),
    )


def _receipt(told: _Told, attempt: AttemptRef) -> Receipt:
    code = told.status or status_in(told.diagnostic)
    if told.kind is not ReceiptKind.FAILED:
        return Receipt(kind=told.kind, attempt=attempt, word=told.action, code=code)
    reason, may_pass = _reason(code, told.diagnostic)
    return Receipt(
        kind=ReceiptKind.FAILED,
        attempt=attempt,
        # A protocol error between two strangers is no bug of ours.
        reason=Reason.REJECTED if reason is Reason.BUG else reason,
        transient=may_pass,
        word=printable(f"{told.action} {told.diagnostic}".strip()),
        code=code,
    )


def _reason(status: str, words: str) -> tuple[Reason, bool]:
    """Prefer the code that says most: many reports say 5.0.0 and mean the 5.1.1 beside it."""
    specific = status if status and not status.endswith(".0.0") else status_in(words)
    if specific and not specific.endswith(".0.0"):
        return classify(specific)
    if found := _REPLY_CODE.search(words):
        return reason_of(Reply(int(found[1]), found[2]), Stage.RCPT)
    guesses = (
        code for pattern, code in _STATUS_OF_WORDS if re.search(pattern, words, re.IGNORECASE)
    )
    guess = next(guesses, status)
    return classify(guess) if guess else (Reason.REJECTED, False)


def _guessed(mail: Message, parts: Sequence[Message], attempt: AttemptRef) -> Receipt | None:
    """Judge a mail without a machine part by who wrote it and what it calls itself."""
    subject = _header(mail, "Subject")
    if not _is_bounce(mail, subject, parts):
        return None
    prose = _prose(parts)
    told = next(_told_in(prose), None)
    if told is None:
        action = "delayed" if _LOOKS_DELAYED.search(subject) else "failed"
        told = _Told(action=action, status=status_in(prose), diagnostic=prose)
    return _receipt(told, attempt)


def _told_in(prose: str) -> Iterator[_Told]:
    """Find a report whose mail has lost its parts: its fields stand in the text."""
    for paragraph in re.split(r"\n[ \t]*\n", prose):
        fields = _fields(paragraph)
        if "final-recipient" in fields and "action" in fields:
            yield _told(fields)


def _is_bounce(mail: Message, subject: str, parts: Sequence[Message]) -> bool:
    if _ANSWERING_MACHINE.search(subject):
        return False
    if any(part.get_content_type() in _OTHER_REPORTS for part in parts):
        return False
    writers = f"{_header(mail, 'From')} {_header(mail, 'Return-Path')}"
    if _FROM_MACHINE.search(writers):
        # Exim says "auto-replied" of its own bounces, so RFC 3834's mark decides nothing here.
        return True
    return bool(_FROM_POSTMASTER.search(writers) and _LOOKS_BOUNCED.search(subject))


def _prose(parts: Sequence[Message]) -> str:
    """Return the first readable text: what stands before the returned letter."""
    for part in parts:
        if part.get_content_maintype() in {"text", "multipart"} and not part.get_payload():
            continue
        if part.get_content_maintype() == "text" or not part.is_multipart():
            return _decoded(part)[:_LONGEST_PROSE]
    return ""


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return text.replace("\r\n", "\n")


def _header(mail: Message, name: str) -> str:
    try:
        return str(make_header(decode_header(str(mail.get(name, "")))))
    except (ValueError, LookupError, HeaderParseError):
        return str(mail.get(name, ""))
