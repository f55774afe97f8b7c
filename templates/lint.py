"""Reads a message as a tired officer cannot: what is missing, what will cost, what looks false.

It warns and never refuses; what is impossible is refused where alerts are accepted.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from kentongan.alert import Mode
from kentongan.segments import beyond_gsm7, count, downgrade
from templates.language import Language, language_of

#: A warning by SMS should be read at one glance; each further part also costs and arrives later.
MOST_PARTS = 2
#: Below so many letters, capitals are a name or an acronym; above, more than half is shouting.
SHOUT_FROM_LETTERS = 30


class LintCode(StrEnum):
    NO_SOURCE = "no_source"
    NO_PLACE = "no_place"
    NO_TIME = "no_time"
    SHOUTING = "shouting"
    LINK = "link"
    LOOKS_LIKE_DRILL = "looks_like_drill"
    UNFILLED_BLANK = "unfilled_blank"
    LONG_SMS = "long_sms"
    COSTLY_CHARACTERS = "costly_characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWarning:
    """One thing to look at again before sending: a stable code, and a sentence for the officer."""

    code: LintCode
    sentence: str


def lint(
    headline: str,
    text: str,
    locale: str,
    *,
    mode: Mode,
    organisation: str = "",
    sms_text: str | None = None,
) -> list[TextWarning]:
    """Warn about the filled and cleaned words of one locale, as written (not yet marked).

    `organisation` is how the sender calls itself (not looked for when empty); `sms_text` is what
    goes by SMS where that differs from `text`.
    """
    sms = downgrade(text if sms_text is None else sms_text)
    return [
        TextWarning(code=code, sentence=sentence)
        for code, sentence in (
            *_missing(f"{headline}\n{text}", language_of(locale), organisation),
            *_misleading(headline, text, sms, mode),
            *_costly(sms),
        )
    ]


Remarks = Iterator[tuple[LintCode, str]]

# A place usually follows one of these; a hint, not grammar.
_PLACE = {
    "en": re.compile(
        r"\b(?:at|in|near|around|from|to|leave|building|floor|area)\s+\w", re.IGNORECASE
    ),
    "id": re.compile(
        r"\b(?:di|ke|dari|sekitar|dekat|wilayah|gedung|lantai|kawasan|tinggalkan)\s+\w",
        re.IGNORECASE,
    ),
}
_TIME = {
    "en": re.compile(
        r"\b(?:now|immediately|at once|until|today|tonight|tomorrow)\b", re.IGNORECASE
    ),
    "id": re.compile(
        r"\b(?:segera|sekarang|sampai|hingga|hari ini|malam ini|besok)\b", re.IGNORECASE
    ),
}
_CLOCK = re.compile(
    r"\b\d{1,2}[.:]\d{2}\b|\b\d{1,2} ?[ap]\.?m\b|\b(?:WIB|WITA|WIT|UTC)\b", re.IGNORECASE
)
_LINK = re.compile(r"\bhttps?://|\bwww\.|\b(?:bit\.ly|tinyurl\.com|s\.id|t\.co)/", re.IGNORECASE)
_DRILL = re.compile(
    r"\W{0,20}(?:this is an? |ini )?(?:exercise|drill|test|simulation|latihan|uji coba|simulasi)\b",
    re.IGNORECASE,
)


def _missing(words: str, language: Language, organisation: str) -> Remarks:
    if organisation and organisation.casefold() not in words.casefold():
        yield LintCode.NO_SOURCE, f"The text does not say who speaks ({organisation})."
    if not _PLACE[language].search(words):
        yield (
            LintCode.NO_PLACE,
            "The text seems to name no place: who is concerned, and who is not?",
        )
    if not (_TIME[language].search(words) or _CLOCK.search(words)):
        yield LintCode.NO_TIME, "The text seems to give no time: from when, and until when?"


def _misleading(headline: str, text: str, sms: str, mode: Mode) -> Remarks:
    if mode is Mode.ACTUAL and (_DRILL.match(headline) or _DRILL.match(text) or _DRILL.match(sms)):
        yield (
            LintCode.LOOKS_LIKE_DRILL,
            "This is an actual alert, but its words begin as if it were a drill or a test.",
        )
    everything = f"{headline}\n{text}\n{sms}"
    if "((" in everything or "))" in everything:
        yield (
            LintCode.UNFILLED_BLANK,
            "Double brackets will be sent as they are: an unfilled blank?",
        )
    if _shouts(text) or _shouts(sms):
        yield (
            LintCode.SHOUTING,
            "Most of the text is in capitals. Keep them for the hazard and for what to do.",
        )
    if _LINK.search(everything):
        yield (
            LintCode.LINK,
            (
                "The text has a link. Carriers filter them, people distrust them, and a call reads"
                " them letter by letter."
            ),
        )


def _shouts(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    capitals = sum(character.isupper() for character in letters)
    return len(letters) >= SHOUT_FROM_LETTERS and capitals * 2 > len(letters)


def _costly(sms: str) -> Remarks:
    cost = count(sms)
    if cost.segments > MOST_PARTS:
        yield (
            LintCode.LONG_SMS,
            f"By SMS the text is {cost.segments} parts long; {MOST_PARTS} or fewer are read.",
        )
    if beyond := beyond_gsm7(sms):
        shown = ", ".join(_named(character) for character in beyond[:5])
        more = f" and {len(beyond) - 5} more" if len(beyond) > 5 else ""
        yield (
            LintCode.COSTLY_CHARACTERS,
            f"An SMS part holds 70 instead of 160 characters because of {shown}{more}.",
        )


def _named(character: str) -> str:
    name = unicodedata.name(character, "").lower()
    code = f"U+{ord(character):04X}"
    return f"{character} ({name or code})" if character.isprintable() else name or code
