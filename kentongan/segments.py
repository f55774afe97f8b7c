"""How a text travels by SMS: its alphabet, its units, its parts, and what typography costs.

GSM 03.38 (3GPP TS 23.038) has 127 characters of one septet and ten of two; any other character
turns the whole message into UCS-2. Carriers bill by part.
"""

# ruff: noqa: RUF001 - the characters that look alike are what the table of typography is about

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: Two septets each: an escape, then the character.
EXTENSION = "^{}\\[~]|€\f"

_ESCAPE = 0x1B
_HIGH_SURROGATES = range(0xD800, 0xDC00)
_ESCAPED = {ord(character): f"{chr(_ESCAPE)}{character}" for character in EXTENSION}
_BEYOND = re.compile(f"[^{re.escape(BASIC + EXTENSION)}]")


class Encoding(StrEnum):
    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


#: Units that fit a message of one part, and each part of a longer one (its header takes the rest).
_FITS = {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """What a text costs: units are septets (GSM-7) or UTF-16 code units (UCS-2)."""

    encoding: Encoding
    units: int
    segments: int


def count(text: str) -> Segments:
    """Count as carriers do: neither an escape nor a surrogate pair may straddle two parts."""
    if _BEYOND.search(text):
        encoding, first_halves = Encoding.UCS2, _HIGH_SURROGATES
        units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    else:
        encoding, first_halves = Encoding.GSM7, range(_ESCAPE, _ESCAPE + 1)
        units = memoryview(text.translate(_ESCAPED).encode("utf-16-le")).cast("H")
    parts = _parts(units, first_halves, *_FITS[encoding])
    return Segments(encoding=encoding, units=len(units), segments=parts)


def _parts(units: Sequence[int], first_halves: range, alone: int, each: int) -> int:
    """Hop from part to part, so the cost is in parts and not in characters."""
    if len(units) <= alone:
        return min(len(units), 1)
    parts = start = 0
    while start < len(units):
        end = start + each
        if end < len(units) and units[end - 1] in first_halves:
            end -= 1
        start, parts = end, parts + 1
    return parts


def beyond_gsm7(text: str) -> str:
    """Return each character that forces UCS-2, once, in order of appearance."""
    return "".join(dict.fromkeys(_BEYOND.findall(text)))


def downgrade(text: str) -> str:
    """Replace typography by its plain form where that alone makes the text GSM-7.

    A text that needs UCS-2 anyway (a real letter, an emoji) keeps its typography: giving it up
    would buy nothing. No letter becomes another letter; ligatures become their own letters.
    """
    if not _BEYOND.search(text):
        return text
    plain = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return text if _BEYOND.search(plain) else plain


_TYPOGRAPHY = {
    '"': "“”„‟«»″〝〞＂",
    "'": "‘’‚‛‹›′`´ʹʻʼˈ",
    "-": "‐‑‒–—―−﹘﹣•‣⁃∙",
    " ": "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u202f\u205f\u3000",
    "\n": "\x0b\x85\u2028\u2029",
    # Seen by nobody: soft hyphen, joiners, direction marks, byte order mark, variation selectors.
    "": "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff",
    "...": "…",
    "..": "‥",
    "/": "⁄∕",
    "~": "∼˜",
    "x": "×",
    "ff": "ﬀ",
    "fi": "ﬁ",
    "fl": "ﬂ",
    "ffi": "ﬃ",
    "ffl": "ﬄ",
    "st": "ﬆ",
}
_PLAIN = {ord(fancy): plain for plain, all_fancy in _TYPOGRAPHY.items() for fancy in all_fancy}
