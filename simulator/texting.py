"""The life of an SMS after it was accepted: what is said of it, and when."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from secrets import token_hex
from typing import Any

from simulator.book import Kind, Record
from simulator.carrier import API, Carrier
from simulator.inbound import Inbound
from simulator.magic import Fate, Receipts

#: Seconds from acceptance until it leaves, from there until the carrier's receipt, and the wait of
#: those who are late. A person answers a moment after they got it.
LEAVES, ARRIVES, LATE, ANSWERS = 0.2, 0.8, 30.0, 0.5

#: What a messaging service sends from.
SERVICE_NUMBER = "+15005550006"

EXPIRED = 30036
_CANCELLABLE = {"queued", "accepted", "scheduled"}
_ENDS = {"delivered", "undelivered", "failed", "canceled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """After so many seconds it has a new status (or none), and these are called back."""

    after: float
    status: str = ""
    code: int = 0
    reports: tuple[str, ...] = ()


def steps_of(fate: Fate, *, held: float = 0.0, validity: int | None = None) -> tuple[Step, ...]:
    """Return what a message will go through."""
    leaves = LEAVES + max(held, fate.held)
    if validity is not None and validity <= leaves:
        return (Step(after=validity, status="failed", code=EXPIRED, reports=("failed",)),)
    end = "undelivered" if fate.code else "delivered"
    sent = Step(after=leaves, status="sent", reports=("sent",))
    last = Step(after=ARRIVES, status=end, code=fate.code, reports=(end,))
    steps: tuple[Step, ...] = (sent, last)
    match fate.receipts:
        case Receipts.ON_TIME:
            pass
        case Receipts.LATE:
            steps = (sent, replace(last, after=LATE))
        case Receipts.SENT_ONLY:
            steps = (sent,)
        case Receipts.NONE:
            steps = (replace(sent, reports=()),)
        case Receipts.LOST:
            steps = (replace(sent, reports=()), replace(last, reports=()))
        case Receipts.DOUBLED:
            steps = tuple(replace(step, reports=step.reports * 2) for step in steps)
        case Receipts.SHUFFLED:
            # "sent" is called back well after the last, or chance would put them in order.
            steps = (replace(sent, reports=()), last, Step(after=ARRIVES, reports=("sent",)))
    return steps


class Texting:
    """Accepts messages and lets them live."""

    def __init__(self, carrier: Carrier, inbound: Inbound) -> None:
        self._carrier = carrier
        self._inbound = inbound

    def accept(self, to: str, form: Mapping[str, list[str]], fate: Fate) -> Record:
        """Write the message down and start its life."""
        said = {name: values[0] for name, values in form.items()}
        service = said.get("MessagingServiceSid", "")
        sender = said.pop("From", "") or SERVICE_NUMBER
        said.pop("To")
        record = self._carrier.book.add(
            Record(
                kind=Kind.SMS,
                id=f"SM{token_hex(16)}",
                to=to,
                sender=sender,
                at=self._carrier.now(),
                text=said.pop("Body", ""),
                params=said,
            )
        )
        first = "accepted" if service else "queued"
        record = self._carrier.book.change(record.seq, first, record.at)
        self._begin(record, fate, 0)
        return record

    def cancel(self, record: Record) -> Record | None:
        """Call it back; None if it has left."""
        if record.status not in _CANCELLABLE:
            return None
        record = self._carrier.book.change(record.seq, "canceled", self._carrier.now())
        self._report(record, "canceled", 0)
        return record

    def resume(self) -> None:
        """Go on with the messages that were on their way when the book was closed."""
        for record in self._carrier.book.all():
            if record.kind is Kind.SMS and record.status not in _ENDS:
                fate = self._carrier.chance.number("sms", record.to)
                if record.status == "sent":
                    self._begin(record, fate, 1)
                else:
                    self._begin(record, fate, 0)

    def _begin(self, record: Record, fate: Fate, at: int) -> None:
        validity = record.params.get("ValidityPeriod")
        steps = steps_of(
            fate,
            held=self._carrier.behaviour.held,
            validity=int(validity) if validity else None,
        )
        if at < len(steps):
            self._later(record.seq, fate, steps, at)

    def _later(self, seq: int, fate: Fate, steps: tuple[Step, ...], at: int) -> None:
        self._carrier.pool.later(steps[at].after, partial(self._take, seq, fate, steps, at))

    async def _take(self, seq: int, fate: Fate, steps: tuple[Step, ...], at: int) -> None:
        step, record = steps[at], self._carrier.book.get(seq)
        if record.status == "canceled":
            return
        if step.status:
            record = self._carrier.book.change(seq, step.status, self._carrier.now(), step.code)
        for status in step.reports:
            self._report(record, status, step.code)
        if at + 1 < len(steps):
            self._later(seq, fate, steps, at + 1)
        elif fate.reply and record.status == "delivered":
            reply = partial(self._inbound.answer, record.to, record.sender, fate.reply)
            self._carrier.pool.later(ANSWERS, reply)

    def _report(self, record: Record, status: str, code: int) -> None:
        self._carrier.tell(
            record.params.get("StatusCallback", ""),
            report_of(self._carrier.settings.account_sid, record, status, code).items(),
        )


def report_of(account: str, record: Record, status: str, code: int) -> dict[str, Any]:
    """Return what a status callback says."""
    form = {
        "AccountSid": account,
        "ApiVersion": API,
        "From": record.sender,
        "MessageSid": record.id,
        "MessageStatus": status,
        "SmsSid": record.id,
        "SmsStatus": status,
        "To": record.to,
    }
    if service := record.params.get("MessagingServiceSid"):
        form["MessagingServiceSid"] = service
    if code:
        form["ErrorCode"] = str(code)
    if status in {"delivered", "undelivered"}:
        form["RawDlrDoneDate"] = time.strftime("%y%m%d%H%M", time.gmtime(record.updated_at))
    return form
