"""What texts and calls through Twilio have in common: everything but the message itself."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from re import Pattern
from typing import Any, ClassVar, TypeVar

from typing_extensions import override

from channels._shared import phones, twilio_signature
from channels._shared.sender_list import senders_of
from channels._shared.twilio import MOST_LISTED, PER_PAGE, Offer, TwilioAccount, since
from channels._shared.twilio_settings import E164, TwilioSettings
from kentongan.alert import Lane
from kentongan.channel import (
    Asked,
    Callback,
    Candidate,
    Channel,
    ForgedCallbackError,
    Gate,
    Sender,
)
from kentongan.deployment import Deployment
from kentongan.ids import AttemptRef
from kentongan.message import Envelope
from kentongan.outcome import NotBegun, Outcome, Reason, Refused
from kentongan.receipt import Receipt

TwilioSettingsT = TypeVar("TwilioSettingsT", bound=TwilioSettings)
PreparedT = TypeVar("PreparedT")

#: Appended to a callback's URL, told to nobody: five retries, on any failure. Without it Twilio
#: repeats once, and only what did not connect.
#: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
INSISTENT = "#rc=5&rp=all"


class TwilioChannel(Channel[TwilioSettingsT, PreparedT]):
    """A channel whose messages are records of one kind in a Twilio account's book."""

    sid: ClassVar[Pattern[str]]

    def __init__(self, settings: TwilioSettingsT, deployment: Deployment) -> None:
        super().__init__(settings, deployment)
        self.twilio = TwilioAccount(settings)
        self._senders = senders_of(settings.sender, self.pace, self.a_day)
        self.sender_names = frozenset(sender.name for sender in self._senders)

    @property
    @override
    def sender(self) -> str:
        return self._senders[0].name

    @property
    @override
    def senders(self) -> Sequence[Sender]:
        return self._senders

    @property
    @override
    def concurrency(self) -> int:
        return self.settings.concurrency

    @property
    @abstractmethod
    def a_day(self) -> int:
        """How many units a day each sender may send; 0 without a limit."""

    @property
    @abstractmethod
    def records(self) -> Any:
        """The SDK's list of these records."""

    @abstractmethod
    def receipt_of(self, record: Any) -> Receipt:
        """Return how far a record of the SDK's says that it got."""

    @abstractmethod
    def is_ours(self, record: Any, asked: Asked) -> bool:
        """Tell whether a record to the right address may be the attempt's."""

    @override
    def check(self, address: str) -> str:
        return phones.normal(address, self.deployment.region, self.deployment.countries)

    async def hand_over(
        self, create: Callable[[], Awaitable[Any]], texts: Sequence[str], gate: Gate
    ) -> Outcome:
        """Send what `create` sends; `texts` stay out of the outcome."""
        return await self.twilio.send(Offer(create=create, sid=self.sid, texts=texts), gate)

    def refusal(self, envelope: Envelope) -> Outcome | None:
        """Return why nothing may be sent at all, a second look at what `check` has seen before."""
        if envelope.remaining < 1:
            return NotBegun(Reason.EXPIRED)
        if not E164.fullmatch(envelope.address):
            return Refused(Reason.INVALID_ADDRESS, "not in E.164")
        countries = self.deployment.countries
        if envelope.capped and not phones.is_allowed(envelope.address, countries):
            return Refused(Reason.COUNTRY_NOT_ALLOWED)
        return None

    def url_of(self, kind: str, envelope: Envelope) -> str:
        """Return where Twilio reports on an attempt."""
        before, after = self.url_around(kind, envelope.lane)
        return f"{before}{envelope.attempt}{after}"

    def url_around(self, kind: str, lane: Lane) -> tuple[str, str]:
        """Return what stands before an attempt's name in `url_of`, and what after it."""
        where = self.deployment.callback_url(self.name, kind)
        return f"{where}?d=", f"&l={lane}{INSISTENT}"

    @override
    def authenticate(self, callback: Callback) -> None:
        twilio_signature.authenticate(callback, self.settings.auth_token)
        # A subaccount's callbacks may be signed with a token of ours; they are not this account's.
        if callback.first("AccountSid", self.settings.account_sid) != self.settings.account_sid:
            raise ForgedCallbackError("it is another account's")

    @override
    async def find(self, asked: Asked) -> Sequence[Candidate]:
        listed = await self.twilio.ask(
            self.records.list_async(to=asked.address, limit=MOST_LISTED, page_size=PER_PAGE)
        )
        ours = [record for record in since(listed, asked) if self.is_ours(record, asked)]
        return [_candidate(record.sid, self.receipt_of(record)) for record in ours]

    @override
    async def fetch(self, provider_id: str) -> Receipt | None:
        if not self.sid.fullmatch(provider_id):
            return None
        record = await self.twilio.ask_of(self.records(provider_id).fetch_async())
        return None if record is None else self.receipt_of(record)

    @override
    async def cancel(self, provider_id: str) -> bool:
        if not self.sid.fullmatch(provider_id):
            return False
        return await self.twilio.cancel(self.records(provider_id))

    @override
    async def probe(self) -> None:
        await self.twilio.probe()

    @override
    async def warm(self) -> None:
        await self.twilio.warm()

    @override
    async def close(self) -> None:
        await self.twilio.close()


def attempt_of(callback: Callback) -> AttemptRef | None:
    """Return the attempt that our own URL named."""
    return AttemptRef.parse(callback.query.get("d", ""))


def _candidate(sid: str, receipt: Receipt) -> Candidate:
    return Candidate(provider_id=sid, kind=receipt.kind, code=receipt.code)
