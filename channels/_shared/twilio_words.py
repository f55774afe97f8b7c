"""Puts an alert's words in the order in which a phone shows or speaks them."""

import re
from collections.abc import Iterable
from typing import Literal

from kentongan.alert import Mode
from kentongan.message import Wording

Language = Literal["en", "id"]

#: What XML 1.0 cannot carry, and what no phone shows: controls, lone surrogates, non-characters.
_UNSENDABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
)


def language_of(locale: str) -> Language:
    """Return the language that our own few words are in, English where we have none."""
    return "id" if locale.replace("_", "-").split("-")[0].lower() == "id" else "en"


def sendable(text: str) -> str:
    """Return the text without what could not be sent at all."""
    return _UNSENDABLE.sub("", text)


def body_of(wording: Wording) -> tuple[str, str]:
    """Return what a text says, and how a drill ends; the ending is empty for an actual alert.

    A drill ends by saying that it was one, so whatever we add goes before its last line.
    """
    text = sendable(wording.text).strip()
    if wording.mode is Mode.ACTUAL:
        return text, ""
    body, _, ending = text.rpartition("\n")
    return (body.rstrip(), ending) if body else (text, "")


def headline_of(wording: Wording) -> str:
    """Return the headline, or nothing where the text begins with it: nobody wants to hear it twice.

    A headline that nobody wrote is the text's beginning, with an ellipsis where it was cut.
    """
    headline = sendable(wording.headline).strip()
    return "" if sendable(wording.text).strip().startswith(headline.rstrip("…")) else headline


def lines(parts: Iterable[str]) -> str:
    """Join what is not empty, one part a line."""
    return "\n".join(part for part in parts if part)
