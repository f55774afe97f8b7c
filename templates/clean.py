"""Makes any text fit to be sent: nothing invisible, nothing that breaks XML, headers or screens."""

import re
import sys
import unicodedata
from functools import cache

#: Marks that may be stacked on one character. Real writing needs at most five or so; thousands
#: hang a renderer and hide the lines above.
MOST_MARKS = 8

# Everything that some medium takes as the end of a line. VT and FF are illegal in XML as well.
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Emoji, with the selectors and skin tones that stand between them and a joiner.
_EMOJI = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
# Scripts in which a joiner changes the letters: Arabic to Myanmar, Khmer and Mongolian,
# Balinese and Sundanese, Javanese.
_JOINED_SCRIPTS = "\u0600-\u109f\u1780-\u18af\u1b00-\u1bff\ua840-\uabff"
_NEVER = re.compile(
    # C0 but tab and newline, DEL, C1, lone surrogates, non-characters.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    # Direction controls: they can make a text read other than it is written.
    + "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    # Invisible: soft hyphen, zero-width spaces, invisible operators, annotations.
    + "\u00ad\u034f\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb]"
    # Tags hide whole sentences; they stay only behind the black flag that they make Wales of.
    + "|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0000-\U000e007f]+"
    # Joiners stay between two that they join.
    + f"|\u200d(?![{_EMOJI}{_JOINED_SCRIPTS}])|(?<![{_EMOJI}{_JOINED_SCRIPTS}])\u200d"
    + f"|\u200c(?![{_JOINED_SCRIPTS}])|(?<![{_JOINED_SCRIPTS}])\u200c"
)


def clean(text: str) -> str:
    r"""Return the text in NFC with `\n` line ends, fit for UTF-8 and for XML 1.0.

    What it drops was invisible or illegal. Cleaning twice changes nothing more.
    """
    shown = _NEVER.sub("", _LINE_ENDS.sub("\n", text))
    # Dropping brings marks and their letters together, so the normal form comes last.
    return _too_many_marks().sub(r"\1", unicodedata.normalize("NFC", shown))


def one_line(text: str) -> str:
    """Return the cleaned text on one line, for subjects and headlines."""
    return " ".join(clean(text).split())


@cache
def _too_many_marks() -> re.Pattern[str]:
    """Compile once, when first needed: `re` knows no categories, and finding marks takes 50 ms."""
    marks = "".join(
        re.escape(character)
        for character in map(chr, range(0x300, sys.maxunicode + 1))
        if unicodedata.category(character).startswith("M")
    )
    return re.compile(f"([{marks}]{{{MOST_MARKS}}})[{marks}]+")
