"""Which of the languages that we have words in serves a locale."""

from typing import Literal, get_args

Language = Literal["en", "id"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def language_of(locale: str) -> Language:
    """Return the language of a BCP 47 tag such as `id-ID`, English where we have no words in it."""
    spoken = locale.replace("_", "-").partition("-")[0].casefold()
    return next((known for known in LANGUAGES if known == spoken), "en")
