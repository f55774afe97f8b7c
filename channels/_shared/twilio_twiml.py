"""What a call says: TwiML that is built once, with a place for what is particular to an attempt.

https://www.twilio.com/docs/voice/twiml
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

from twilio.twiml.voice_response import VoiceResponse

from channels._shared.twilio_words import Language, body_of, headline_of, language_of, sendable
from kentongan.message import Wording

#: https://www.twilio.com/docs/voice/api/call-resource: Twiml.
MOST_CHARACTERS = 4000

#: Seconds that a person has to find the keypad after the last word.
KEYPAD_SECONDS = 8

_ACTION = "@action@"
_ENDS_A_SENTENCE = re.compile(r"[.!?…:;,]\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What we say ourselves, around an alert's words."""

    press: str
    confirm: str
    thanks: str
    goodbye: str
    ampersand: str


PHRASES: Mapping[Language, Phrases] = MappingProxyType(
    {
        "en": Phrases(
            press="Press {key} for: {label}",
            confirm="Press 1 to confirm that you have heard this message.",
            thanks="Thank you. Your answer has been received. Goodbye.",
            goodbye="Goodbye.",
            ampersand="and",
        ),
        "id": Phrases(
            press="Tekan {key} untuk: {label}",
            confirm="Tekan 1 untuk menyatakan bahwa Anda sudah mendengar pesan ini.",
            thanks="Terima kasih. Jawaban Anda sudah diterima. Sampai jumpa.",
            goodbye="Sampai jumpa.",
            ampersand="dan",
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who speaks: a language tag, and one of the voices that Twilio has in it."""

    language: str
    voice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A call's words as they are heard, and its TwiML around the place of the action URL."""

    text: str
    language: Language
    before: str
    after: str

    def with_action(self, url: str) -> str:
        """Return the TwiML of one attempt's call."""
        return f"{self.before}{escape(url)}{self.after}"


def speech_of(wording: Wording, speaker: Speaker) -> Speech:
    """Say it twice, wait for a key, say goodbye. A drill says once more that it was one."""
    language = language_of(wording.locale)
    phrases = PHRASES[language]
    body, ending = body_of(wording)
    asked = [
        phrases.press.format(key=option.key, label=option.label_in(wording.locale))
        for option in wording.options
    ]
    said = [headline_of(wording), *body.splitlines(), *(asked or [phrases.confirm]), ending]
    text = _spoken(said, phrases)
    closing = _spoken([phrases.goodbye, ending], phrases)
    before, _, after = _document(text, closing, speaker).partition(_ACTION)
    return Speech(text=text, language=language, before=before, after=after)


def thanks(language: Language, speaker: Speaker) -> str:
    """Return what follows a key press."""
    return _only(PHRASES[language].thanks, speaker)


def goodbye(language: Language, speaker: Speaker) -> str:
    """Return what ends a call in which nothing was answered."""
    return _only(PHRASES[language].goodbye, speaker)


def _only(words: str, speaker: Speaker) -> str:
    response = VoiceResponse()
    response.say(words, voice=speaker.voice, language=speaker.language)
    response.hangup()
    return str(response)


def _document(text: str, closing: str, speaker: Speaker) -> str:
    response = VoiceResponse()
    # The keys count while it speaks: who has understood need not hear it to the end.
    gather = response.gather(
        input="dtmf", num_digits=1, timeout=KEYPAD_SECONDS, action=_ACTION, method="POST"
    )
    gather.say(text, voice=speaker.voice, language=speaker.language)
    gather.pause(length=1)
    gather.say(text, voice=speaker.voice, language=speaker.language)
    response.say(closing, voice=speaker.voice, language=speaker.language)
    return str(response)


def _spoken(parts: list[str], phrases: Phrases) -> str:
    """Make sentences of lines. Markup is silent, and costs five characters where it is escaped."""
    clean = (sendable(part).strip() for part in parts)
    text = " ".join(part if _ENDS_A_SENTENCE.search(part) else f"{part}." for part in clean if part)
    text = text.replace("<", " ").replace(">", " ").replace("&", f" {phrases.ampersand} ")
    return " ".join(text.split())
