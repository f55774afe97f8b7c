"""Marks drills and tests so that nobody takes one for the real thing.

The mark comes from the alert's mode and from nothing that a caller writes, and it is put on before
a channel sees the words; so no field and no channel can leave it off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kentongan.alert import Mode
from templates.language import Language, language_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How a marked text begins and ends."""

    word: str
    ending: str


MARKS: Mapping[Mode, Mapping[Language, Mark]] = MappingProxyType(
    {
        Mode.EXERCISE: {
            "en": Mark(word="EXERCISE", ending="This is only an exercise."),
            "id": Mark(word="LATIHAN", ending="Ini hanya latihan."),
        },
        Mode.TEST: {
            "en": Mark(word="TEST", ending="This is only a test."),
            "id": Mark(word="UJI COBA", ending="Ini hanya uji coba."),
        },
    }
)


def mark_of(mode: Mode, locale: str) -> Mark | None:
    """Return how this mode is marked in this locale, English where we have no words in it."""
    words = MARKS.get(mode)
    return words[language_of(locale)] if words else None


def mark(mode: Mode, locale: str, headline: str, text: str) -> tuple[str, str]:
    """Begin headline and text with the mode's word and end the text by saying so once more.

    An actual alert comes back untouched. Marking what is marked already changes nothing.
    """
    marking = mark_of(mode, locale)
    if marking is None:
        return headline, text
    return _begun(marking, headline), _ended(marking, _begun(marking, text.rstrip()))


def _begun(marking: Mark, words: str) -> str:
    beginning = f"{marking.word}: "
    return words if words.startswith(beginning) else beginning + words


def _ended(marking: Mark, text: str) -> str:
    ending = f"\n{marking.ending}"
    return text if text.endswith(ending) else text + ending
