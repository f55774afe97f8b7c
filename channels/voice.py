"""Calls through Twilio: the text is spoken twice, and a key pressed on the call is the answer."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict
from typing_extensions import override

from channels._shared import twilio_status
from channels._shared.sender_list import SYNTAX, names_of
from channels._shared.twilio_channel import TwilioChannel, attempt_of
from channels._shared.twilio_settings import E164, TwilioSettings
from channels._shared.twilio_status import Said
from channels._shared.twilio_twiml import (
    MOST_CHARACTERS,
    Speaker,
    Speech,
    goodbye,
    speech_of,
    thanks,
)
from channels._shared.twilio_words import language_of
from kentongan.alert import Lane
from kentongan.channel import Answer, Asked, Callback, Gate, Limits, Pace, Repeat
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.ids import AttemptRef, new_delivery_id
from kentongan.message import Envelope, Preview, Wording
from kentongan.outcome import Outcome, Reason, Refused
from kentongan.receipt import Pressed, Receipt, Report

_VOICE = re.compile("[a-z]{2}-[A-Z]{2}=[^=,]+")
_KEY = re.compile(r"[0-9*#]")
_EVENTS = ["initiated", "ringing", "answered", "completed"]
_FALLBACK = Speaker(language="en-GB", voice="Google.en-GB-Standard-A")


class VoiceSettings(TwilioSettings):
    model_config = SettingsConfigDict(env_prefix="KENTONGAN_VOICE_", extra="ignore")

    sender: str = Field(
        description=f"The number that calls, `+…`, yours or verified. {SYNTAX}",
        examples=["+15005550006"],
    )
    calls_per_second: float = Field(
        1.0, gt=0, description="What the account allows each sender; Twilio begins with one."
    )
    burst: int = Field(1, ge=1, description="Calls that may start at once after a rest.")
    calls_per_day: int = Field(
        0, ge=0, description="Calls a day (UTC) that each sender may make; 0: no limit."
    )
    ring_seconds: int = Field(30, ge=5, le=600, description="How long it rings.")
    machine_detection: Literal["Enable", "DetectMessageEnd", "off"] = Field(
        "Enable",
        description="Tell voicemail from people: `Enable` speaks at once, `DetectMessageEnd` after "
        "the greeting; without it no answered call shows as heard by a person.",
    )
    voices: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["id-ID=Google.id-ID-Standard-A", "en-GB=Google.en-GB-Standard-A"],
        description="Twilio's voice for each language, comma-separated; the first of a language "
        "serves all its countries.",
    )

    @field_validator("sender")
    @classmethod
    def _numbers(cls, value: str) -> str:
        if not all(E164.fullmatch(name) for name in names_of(value)):
            raise ValueError("give a number (+…)")
        return value

    @field_validator("voices", mode="before")
    @classmethod
    def _read_voices(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("voices")
    @classmethod
    def _known_tags(cls, value: list[str]) -> list[str]:
        if wrong := next((voice for voice in value if not _VOICE.fullmatch(voice)), None):
            raise ValueError(f"{wrong!r} is not written as id-ID=Google.id-ID-Standard-A")
        return value

    def speakers(self) -> dict[str, Speaker]:
        """Return who speaks, by language tag in lower case."""
        pairs = (voice.split("=") for voice in self.voices)
        return {tag.lower(): Speaker(language=tag, voice=voice) for tag, voice in pairs}


class Voice(TwilioChannel[VoiceSettings, Speech]):
    """One call per message, with its TwiML inside the request; only a key acknowledges."""

    name = "voice"
    settings_type = VoiceSettings
    # 4,000 characters of TwiML hold text, headline and answers twice, and the verbs around them.
    limits = Limits(text=1000, headline=200)
    repeat = Repeat.NEVER
    sid = re.compile("CA[0-9a-fA-F]{32}")

    @override
    @classmethod
    def for_simulator(cls, at: SimulatorAt, deployment: Deployment) -> Self:
        # All credentials are given, so that none of a real account's comes from the environment.
        settings = VoiceSettings(
            account_sid=at.account_sid,
            auth_token=[SecretStr(at.auth_token)],
            api_key="",
            api_secret=SecretStr(""),
            sender="+15005550006",
            base_url=at.url,
            calls_per_second=50,
            burst=50,
        )
        return cls(settings, deployment)

    @property
    @override
    def pace(self) -> Pace:
        return Pace(units_per_second=self.settings.calls_per_second, burst=self.settings.burst)

    @property
    @override
    def a_day(self) -> int:
        return self.settings.calls_per_day

    @property
    @override
    def receipt_horizon(self) -> timedelta:
        # A call waits in Twilio's queue only behind calls that went out faster than our pace.
        return timedelta(hours=2)

    @property
    @override
    def records(self) -> Any:
        return self.twilio.client.calls

    @override
    def prepare(self, wording: Wording) -> Speech:
        return speech_of(wording, self._speaker(wording.locale))

    @override
    def units(self, prepared: Speech) -> int:
        return 1

    @override
    def preview(self, prepared: Speech) -> Preview:
        needed = len(prepared.with_action(self._action(prepared, _SOME_ENVELOPE)))
        return Preview(text=prepared.text, excess=_excess(needed))

    @override
    async def send(self, prepared: Speech, envelope: Envelope, gate: Gate) -> Outcome:
        twiml = prepared.with_action(self._action(prepared, envelope))
        if len(twiml) > MOST_CHARACTERS:
            return Refused(Reason.CONTENT, f"over {MOST_CHARACTERS} characters of TwiML")
        if refusal := self.refusal(envelope):
            return refusal

        async def create() -> Any:
            return await self.records.create_async(
                to=envelope.address,
                from_=envelope.sender or self.sender,
                twiml=twiml,
                timeout=self.settings.ring_seconds,
                status_callback=self.url_of("status", envelope),
                status_callback_event=_EVENTS,
                **self._detection(),
            )

        return await self.hand_over(create, [twiml, prepared.text], gate)

    def _action(self, prepared: Speech, envelope: Envelope) -> str:
        url, hash_, insistence = self.url_of("gather", envelope).partition("#")
        return f"{url}&lang={prepared.language}{hash_}{insistence}"

    def _detection(self) -> dict[str, str]:
        wanted = self.settings.machine_detection
        return {} if wanted == "off" else {"machine_detection": wanted}

    def _speaker(self, locale: str) -> Speaker:
        """Return the voice of the locale itself, else of its language, else an English one."""
        wanted = locale.replace("_", "-").lower()
        known = self.settings.speakers()
        for language in (wanted.split("-")[0], "en"):
            same = [speaker for tag, speaker in known.items() if tag.split("-")[0] == language]
            if same:
                return known.get(wanted, same[0])
        return _FALLBACK

    @override
    def receipts(self, callback: Callback) -> Sequence[Report]:
        match callback.kind:
            case "status":
                return _status(callback)
            case "gather":
                return _pressed(callback)
            case _:
                return ()

    @override
    def answer(self, callback: Callback) -> Answer:
        if callback.kind != "gather":
            return Answer()
        language = language_of(callback.query.get("lang", ""))
        say = thanks if _pressed(callback) else goodbye
        return Answer(body=say(language, self._speaker(language)), content_type="text/xml")

    @override
    def receipt_of(self, record: Any) -> Receipt:
        return twilio_status.of_call(
            Said(
                word=str(record.status),
                provider_id=record.sid,
                answered_by=record.answered_by or "",
            )
        )

    @override
    def is_ours(self, record: Any, asked: Asked) -> bool:
        return getattr(record, "_from", None) in self.sender_names  # the SDK names it so


CHANNEL = Voice

#: Stands for any envelope where only lengths matter.
_SOME_ENVELOPE = Envelope(
    attempt=AttemptRef(new_delivery_id(), 99), address="", lane=Lane.ROUTINE, remaining=0
)


def _excess(needed: int) -> str:
    if needed <= MOST_CHARACTERS:
        return ""
    return f"A call that says it twice would take {needed:,} characters; {MOST_CHARACTERS:,} fit."


def _status(callback: Callback) -> Sequence[Report]:
    said = Said(
        word=callback.first("CallStatus"),
        code=callback.first("ErrorCode"),
        provider_id=callback.first("CallSid") or None,
        attempt=attempt_of(callback),
        answered_by=callback.first("AnsweredBy"),
        sip_code=callback.first("SipResponseCode"),
    )
    return [twilio_status.of_call(said)] if said.word else ()


def _pressed(callback: Callback) -> Sequence[Report]:
    """Read a key. What answers for a machine is no person's answer, whatever it "pressed"."""
    attempt, key = attempt_of(callback), callback.first("Digits")[:1]
    if attempt is None or not _KEY.fullmatch(key):
        return ()
    if twilio_status.is_machine(callback.first("AnsweredBy")):
        return ()
    return [Pressed(attempt=attempt, key=key, provider_id=callback.first("CallSid") or None)]
