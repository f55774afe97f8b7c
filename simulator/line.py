"""One call as its callbacks tell of it."""

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

from simulator.book import Record
from simulator.carrier import API, Carrier

#: How fast text is spoken, in characters a second: what turns words into a duration.
PACE = 15

#: How long recognition takes, in milliseconds: a person says hello, a machine talks on.
_DETECTION = {"human": "1200"}


class Call:
    """Keeps the book and calls back, in the order in which things happen."""

    def __init__(self, carrier: Carrier, record: Record) -> None:
        self._carrier = carrier
        self.seq = record.seq
        self.params: Mapping[str, Any] = record.params
        self._fired = 0
        self._answered_by = ""
        self._seconds = 0.0

    @property
    def record(self) -> Record:
        return self._carrier.book.get(self.seq)

    def become(self, status: str) -> None:
        """Give the call a status; an end also gives it its duration."""
        book, now = self._carrier.book, self._carrier.now()
        if status == "completed":
            book.note(self.seq, duration=max(1, round(self._seconds)))
        book.change(self.seq, status, now)

    def answered_by(self, who: str, *, said_in_callbacks: bool = True) -> None:
        self._answered_by = who if said_in_callbacks else ""
        self._carrier.book.note(self.seq, answered_by=who)

    def hear(self, text: str, language: str) -> None:
        """Write down what was spoken."""
        self._seconds += len(text) / PACE
        heard = (*self.record.heard, (text, language))
        self._carrier.book.note(self.seq, heard=heard)

    def wait(self, seconds: float) -> None:
        """Count time that the call would have taken."""
        self._seconds += seconds

    def press(self, key: str) -> None:
        self._carrier.book.note(self.seq, key=self.record.key + key)

    def report(self, event: str, status: str) -> None:
        """Call back, if this event was asked for."""
        wanted = self.params.get("StatusCallbackEvent", "completed")
        if event not in ([wanted] if isinstance(wanted, str) else wanted):
            return
        form = self.fields(status)
        form |= {
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(self._fired),
            "Timestamp": formatdate(self._carrier.now(), usegmt=True).replace("GMT", "+0000"),
        }
        if event == "completed":
            form |= self._at_the_end(status)
        self._fired += 1
        url = self.params.get("StatusCallback", "")
        self._carrier.tell(url, form.items(), self.params.get("StatusCallbackMethod", "POST"))

    def fields(self, status: str) -> dict[str, str]:
        """Return what every webhook of a call says."""
        record = self.record
        form = {
            "AccountSid": self._carrier.settings.account_sid,
            "ApiVersion": API,
            "CallSid": record.id,
            "CallStatus": status,
            "Called": record.to,
            "Caller": record.sender,
            "Direction": "outbound-api",
            "From": record.sender,
            "To": record.to,
        }
        if self._answered_by:
            form["AnsweredBy"] = self._answered_by
        return form

    def detection(self, who: str) -> list[tuple[str, str]]:
        """Return what the callback of asynchronous machine detection says."""
        return [
            ("AccountSid", self._carrier.settings.account_sid),
            ("AnsweredBy", who),
            ("CallSid", self.record.id),
            ("MachineDetectionDuration", _DETECTION.get(who, "3400")),
        ]

    def _at_the_end(self, status: str) -> dict[str, str]:
        duration = self.record.duration if status == "completed" else 0
        codes = {"completed": "200", "busy": "486", "failed": "404", "no-answer": "487"}
        form = {
            "CallDuration": str(duration),
            "Duration": str(-(-duration // 60)),  # minutes begun
            "SipResponseCode": codes.get(status, "487"),
        }
        if self._answered_by:
            form["MachineDetectionDuration"] = _DETECTION.get(self._answered_by, "3400")
        return form
