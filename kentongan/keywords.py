"""What a person's whole reply means: a carrier keyword, one of the options asked, or neither.

"Stop the alarm!" is a sentence and opts nobody out; "Stop!" is the keyword.
"""

import unicodedata
from collections.abc import Collection
from enum import StrEnum


class Keyword(StrEnum):
    STOP = "stop"
    START = "start"
    HELP = "help"
    NONE = "none"


_CARRIER_WORDS = {
    # What Twilio itself acts upon, when it is the whole message.
    Keyword.STOP: ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"],
    Keyword.START: ["START", "YES", "UNSTOP"],
    Keyword.HELP: ["HELP", "INFO"],
}
#: Ours to honour where the carrier does not: a person who means stop is believed.
_LIBERAL_STOPS = ["STOP ALL", "OPT OUT", "OPT-OUT", "REMOVE", "ARRET", "ARRÊT", "BERHENTI"]

_MEANING = {
    word.casefold(): keyword for keyword, words in _CARRIER_WORDS.items() for word in words
} | {word.casefold(): Keyword.STOP for word in _LIBERAL_STOPS}

#: Words, case-folded, that may be no option's key: the carrier would take the answer as its own.
NEVER_AS_OPTION = frozenset(_MEANING)

# No keyword and no option's key is longer; a longer body is a sentence.
_LONGEST = 64


def meaning(body: str) -> Keyword:
    """Say what carriers' rules make of a reply."""
    return _MEANING.get(_bare(body), Keyword.NONE)


def option_of(body: str, keys: Collection[str]) -> str | None:
    """Find the key that the whole reply is, however it is spaced, cased or punctuated."""
    said = _bare(body)
    if not said:
        return None
    return next((key for key in keys if _bare(key) == said), None)


def _bare(body: str) -> str:
    """Reduce a reply to its words: `(1)`, ` 1. ` and a key-cap emoji of 1 all say 1."""
    start, end = 0, len(body)
    while start < end and not body[start].isalnum():
        start += 1
    while end > start and not body[end - 1].isalnum():
        end -= 1
    if end - start > _LONGEST:
        return ""
    return " ".join(unicodedata.normalize("NFKC", body[start:end]).casefold().split())
