"""SMS from people to us: booked, signed, posted; and what they opt out of."""

import logging
from collections.abc import Mapping
from functools import partial
from secrets import token_hex

from kentongan.segments import count
from simulator.book import Kind, Record
from simulator.carrier import API, Carrier
from simulator.outside import Heard
from simulator.twiml import Message, TwimlError, parse

log = logging.getLogger(__name__)

#: The words that Twilio itself obeys, on every account that did not change them.
#: https://help.twilio.com/articles/223134027
STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
START_WORDS = {"START", "YES", "UNSTOP"}


class Inbound:
    """Brings replies to the inbound URL. Who said STOP is refused with 21610 until START."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._stopped: set[tuple[str, str]] = set()
        for record in carrier.book.all():
            if record.kind is Kind.INBOUND:
                self._obey(record)

    def has_stopped(self, person: str, ours: str) -> bool:
        return (person, ours) in self._stopped

    async def answer(self, person: str, ours: str, body: str) -> None:
        """Let a person reply."""
        await self.send(person, ours, body)

    async def send(
        self, person: str, ours: str, body: str, extra: Mapping[str, str] | None = None
    ) -> tuple[Record, Heard]:
        """Book an SMS from a person, post it, and return what was answered."""
        record = self._carrier.book.add(
            Record(
                kind=Kind.INBOUND,
                id=f"SM{token_hex(16)}",
                to=ours,
                sender=person,
                at=self._carrier.now(),
                text=body,
            )
        )
        record = self._carrier.book.change(record.seq, "received", record.at)
        self._obey(record)
        url = self._carrier.behaviour.inbound_url
        if not url:
            log.warning("somebody replied, and no inbound URL is set")
            return record, Heard()
        heard = await self._carrier.ask(url, {**self._form(record), **(extra or {})}.items())
        self._say_back(record, heard)
        return record, heard

    def _form(self, record: Record) -> dict[str, str]:
        return {
            "AccountSid": self._carrier.settings.account_sid,
            "ApiVersion": API,
            "Body": record.text,
            "From": record.sender,
            "FromCity": "",
            "FromCountry": "",
            "FromState": "",
            "FromZip": "",
            "MessageSid": record.id,
            "NumMedia": "0",
            "NumSegments": str(count(record.text).segments),
            "SmsMessageSid": record.id,
            "SmsSid": record.id,
            "SmsStatus": "received",
            "To": record.to,
            "ToCity": "",
            "ToCountry": "",
            "ToState": "",
            "ToZip": "",
        }

    def _obey(self, record: Record) -> None:
        word = record.text.strip().upper()
        if word in STOP_WORDS:
            self._stopped.add((record.sender, record.to))
        elif word in START_WORDS:
            self._stopped.discard((record.sender, record.to))

    def _say_back(self, asked: Record, heard: Heard) -> None:
        """Deliver the messages of the TwiML that answered."""
        if heard.status != 200 or not heard.content_type.endswith("/xml"):
            return
        try:
            verbs = parse(heard.body)
        except TwimlError:
            log.warning("an inbound SMS was answered with TwiML that cannot be read (12100)")
            return
        for verb in verbs:
            if isinstance(verb, Message):
                self._carrier.pool.later(0, partial(self._deliver, asked, verb.text))

    async def _deliver(self, asked: Record, text: str) -> None:
        now = self._carrier.now()
        record = self._carrier.book.add(
            Record(
                kind=Kind.SMS,
                id=f"SM{token_hex(16)}",
                to=asked.sender,
                sender=asked.to,
                at=now,
                text=text,
                params={"InReplyTo": asked.id},
            )
        )
        self._carrier.book.change(record.seq, "delivered", now)
