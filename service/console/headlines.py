"""Which of an alert's words a reader of the console sees first."""

from collections.abc import Mapping
from dataclasses import dataclass

from kentongan.alert import Mode
from templates.language import Language, language_of
from templates.marking import mark


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline as people got it, and the locale that it is written in."""

    text: str
    locale: str


def headline_of(headlines: Mapping[str, str], mode: Mode, language: Language) -> Headline:
    """Return the headline in the reader's language, else in whichever there is."""
    spoken = (locale for locale in headlines if language_of(locale) == language)
    locale = next(spoken, next(iter(headlines)))
    text, _ = mark(mode, locale, headlines[locale], "")
    return Headline(text, locale.replace("_", "-"))
