"""SMS through Twilio's Messages API: one text, the same for everyone who reads its language."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, Self
from urllib.parse import quote_plus, urlencode

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict
from typing_extensions import override

from channels._shared import phones, twilio_status
from channels._shared.sender_list import SYNTAX, names_of
from channels._shared.twilio_channel import TwilioChannel, attempt_of
from channels._shared.twilio_post import MessagePost
from channels._shared.twilio_settings import E164, TwilioSettings
from channels._shared.twilio_status import Said
from channels._shared.twilio_words import body_of, headline_of, lines, sendable
from kentongan import segments
from kentongan.alert import Lane
from kentongan.channel import Answer, Asked, Callback, Gate, Limits, Pace, Repeat
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.message import Envelope, Preview, Wording
from kentongan.outcome import Outcome, Reason, Refused
from kentongan.receipt import Inbound, Receipt, Report

#: https://www.twilio.com/docs/messaging/api/message-resource: Body, ValidityPeriod.
MOST_CHARACTERS = 1600
LONGEST_VALIDITY = 36_000

_SERVICE = re.compile("MG[0-9a-fA-F]{32}")
_NAME = re.compile("(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
_SHORT_CODE = re.compile(r"\d{3,8}")


class SmsSettings(TwilioSettings):
    model_config = SettingsConfigDict(env_prefix="KENTONGAN_SMS_", extra="ignore")

    sender: str = Field(
        description="A number of yours (`+…`), a messaging service (`MG…`), a short code, or a "
        f"name of at most 11 characters, to which nobody can reply. {SYNTAX}",
        examples=["+15005550006"],
    )
    units_per_second: float = Field(
        10.0, gt=0, description="Segments a second that each sender may send."
    )
    burst: int = Field(10, ge=1, description="Segments that may go at once after a rest.")
    units_per_day: int = Field(
        0, ge=0, description="Segments a day (UTC) that each sender may send; 0: no limit."
    )
    risk_check: Literal["enable", "disable"] = Field(
        "enable",
        description="Twilio's protection against SMS pumping; `disable` where it must not hold "
        "up a warning.",
    )

    @field_validator("sender")
    @classmethod
    def _known_sender(cls, value: str) -> str:
        for name in names_of(value):
            if not any(known.fullmatch(name) for known in (E164, _SERVICE, _NAME, _SHORT_CODE)):
                raise ValueError(
                    "give a number (+…), a messaging service (MG…), a short code or a name"
                )
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A body as it is sent, and its parts as carriers count them.

    `form` is what of the request is the same for everyone, ready to be sent.
    """

    body: str
    segments: int
    form: str = ""


class Sms(TwilioChannel[SmsSettings, Text]):
    """One request per message; receipts and replies come by callback."""

    name = "sms"
    settings_type = SmsSettings
    # 1,600 characters hold a text, a headline, and six answers of thirty characters.
    limits = Limits(text=1200, headline=200)
    repeat = Repeat.SEVERE
    sid = re.compile("(SM|MM)[0-9a-fA-F]{32}")

    def __init__(self, settings: SmsSettings, deployment: Deployment) -> None:
        super().__init__(settings, deployment)
        self._post = MessagePost(settings, self.sid)
        self._from = {sender: _from(sender) for sender in self.sender_names}
        self._reported = {lane: self._escaped(lane) for lane in Lane}
        self._options = {"SmartEncoded": "false"}  # our count of segments must be theirs
        if settings.risk_check == "disable":
            self._options["RiskCheck"] = "disable"

    @override
    @classmethod
    def for_simulator(cls, at: SimulatorAt, deployment: Deployment) -> Self:
        # All credentials are given, so that none of a real account's comes from the environment.
        settings = SmsSettings(
            account_sid=at.account_sid,
            auth_token=[SecretStr(at.auth_token)],
            api_key="",
            api_secret=SecretStr(""),
            sender="+15005550006",
            base_url=at.url,
            units_per_second=200,
            burst=200,
        )
        return cls(settings, deployment)

    @property
    @override
    def pace(self) -> Pace:
        return Pace(units_per_second=self.settings.units_per_second, burst=self.settings.burst)

    @property
    @override
    def a_day(self) -> int:
        return self.settings.units_per_day

    @property
    @override
    def receipt_horizon(self) -> timedelta:
        # Twilio holds a message for ten hours at most, and its carrier needs a while to say.
        return timedelta(hours=12)

    @property
    @override
    def records(self) -> Any:
        return self.twilio.client.messages

    @override
    def prepare(self, wording: Wording) -> Text:
        text, ending = body_of(wording)
        options = [f"{o.key} = {o.label_in(wording.locale)}" for o in wording.options]
        said = [headline_of(wording), text, *options]
        plain = _text(*said, ending)
        signed = _text(*said, self.deployment.organisation, ending)
        # Who speaks is worth saying, but not worth one more segment for everyone.
        fits = signed.segments == plain.segments and len(signed.body) <= MOST_CHARACTERS
        chosen = signed if fits else plain
        return replace(chosen, form=urlencode({"Body": chosen.body, **self._options}))

    @override
    def units(self, prepared: Text) -> int:
        return max(1, prepared.segments)

    @override
    def preview(self, prepared: Text) -> Preview:
        return Preview(
            text=prepared.body,
            units=self.units(prepared),
            notes=_notes(prepared.body),
            excess=_excess(prepared.body),
        )

    @override
    async def send(self, prepared: Text, envelope: Envelope, gate: Gate) -> Outcome:
        if len(prepared.body) > MOST_CHARACTERS:
            return Refused(Reason.CONTENT, f"over {MOST_CHARACTERS} characters")
        if refusal := self.refusal(envelope):
            return refusal
        form = self._form(prepared, envelope).encode()
        return await self._post.send(form, [prepared.body], gate)

    def _form(self, prepared: Text, envelope: Envelope) -> str:
        sender = envelope.sender or self.sender
        before, after = self._reported[envelope.lane]
        return "&".join(
            [
                f"To={quote_plus(envelope.address)}",
                self._from.get(sender) or _from(sender),
                f"StatusCallback={before}{quote_plus(str(envelope.attempt))}{after}",
                f"ValidityPeriod={int(min(envelope.remaining, LONGEST_VALIDITY))}",
                prepared.form,
            ]
        )

    def _escaped(self, lane: Lane) -> tuple[str, str]:
        before, after = self.url_around("status", lane)
        return quote_plus(before), quote_plus(after)

    @override
    async def close(self) -> None:
        await super().close()
        await self._post.close()

    @override
    def receipts(self, callback: Callback) -> Sequence[Report]:
        match callback.kind:
            case "status":
                return _status(callback)
            case "inbound":
                return _inbound(callback)
            case _:
                return ()

    @override
    def answer(self, callback: Callback) -> Answer:
        if callback.kind == "inbound":
            return Answer(body="<Response/>", content_type="text/xml")
        return Answer()

    @override
    def receipt_of(self, record: Any) -> Receipt:
        code = "" if record.error_code is None else str(record.error_code)
        word = str(record.status)
        return twilio_status.of_message(Said(word=word, code=code, provider_id=record.sid))

    @override
    def is_ours(self, record: Any, asked: Asked) -> bool:
        """Ask for one of our senders and our text.

        A trial account's texts have a sentence before ours; where Twilio keeps no texts
        (ContentRetention), sender and time must do.
        """
        body = (record.body or "").strip()
        ours = not self.sender_names.isdisjoint({record.from_, record.messaging_service_sid})
        return ours and (not body or body.endswith(asked.text.strip()))


CHANNEL = Sms


def _from(sender: str) -> str:
    name = "MessagingServiceSid" if _SERVICE.fullmatch(sender) else "From"
    return urlencode({name: sender})


def _text(*parts: str) -> Text:
    body = segments.downgrade(lines(sendable(part).strip() for part in parts))
    return Text(body=body, segments=segments.count(body).segments)


def _notes(body: str) -> tuple[str, ...]:
    notes = []
    if dear := segments.beyond_gsm7(body):
        notes.append(f"{dear[:40]} make it UCS-2: 67 characters a segment instead of 153")
    return tuple(notes)


def _excess(body: str) -> str:
    if len(body) <= MOST_CHARACTERS:
        return ""
    return f"It would be {len(body):,} characters long; {MOST_CHARACTERS:,} can be sent."


def _status(callback: Callback) -> Sequence[Report]:
    word = callback.first("MessageStatus") or callback.first("SmsStatus")
    said = Said(
        word=word,
        code=callback.first("ErrorCode"),
        provider_id=callback.first("MessageSid") or callback.first("SmsSid") or None,
        attempt=attempt_of(callback),
    )
    return [twilio_status.of_message(said)] if word else ()


def _inbound(callback: Callback) -> Sequence[Report]:
    sid, address = callback.first("MessageSid"), callback.first("From")
    if not sid or not address:
        return ()
    return [
        Inbound(
            address=phones.or_as_it_is(address),
            to=callback.first("To"),
            body=callback.first("Body"),
            provider_id=sid,
        )
    ]
