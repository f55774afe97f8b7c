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
_ODD_IN_ASCII = re.compile("[^\t\n -~]")
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
)
# Invisible too, but some writing needs them: joiners, and the tags that make Wales of a black flag.
_SOMETIMES = re.compile("[\u200c\u200d\U000e0000-\U000e007f]+")
# Emoji, with the selectors and skin tones that stand between them and a joiner.
_EMOJI = re.compile("[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")
# Scripts in which a joiner changes the letters: Arabic to Myanmar, Khmer and Mongolian,
# Balinese and Sundanese, Javanese.
_JOINED_SCRIPTS = re.compile("[\u0600-\u109f\u1780-\u18af\u1b00-\u1bff\ua840-\uabff]")
_JOINED_BY = {"\u200c": [_JOINED_SCRIPTS], "\u200d": [_JOINED_SCRIPTS, _EMOJI]}
_BLACK_FLAG = "\U0001f3f4"
_FLAG_TAGS = re.compile("[\U000e0030-\U000e007a]{1,6}\U000e007f")


def clean(text: str) -> str:
    r"""Return the text in NFC with `\n` line ends, fit for UTF-8 and for XML 1.0.

    What it drops was invisible or illegal, or the ninth mark on a character.
    """
    if text.isascii() and not _ODD_IN_ASCII.search(text):
        return text  # nothing below applies to it
    shown = _SOMETIMES.sub(_needed, _NEVER.sub("", _LINE_ENDS.sub("\n", text)))
    # Dropping brings marks and their letters together, so the normal form comes last.
    return _unstacked(unicodedata.normalize("NFC", shown))


def one_line(text: str) -> str:
    """Return the cleaned text on one line, for subjects and headlines."""
    return " ".join(clean(text).split())


def _needed(found: re.Match[str]) -> str:
    """Keep one joiner between two that it joins, and the tags of a flag; hidden text is neither."""
    run, text = found[0], found.string
    before = text[max(found.start() - 1, 0) : found.start()]
    after = text[found.end() : found.end() + 1]
    if before == _BLACK_FLAG and _FLAG_TAGS.fullmatch(run):
        return run
    joins = any(kind.match(before) and kind.match(after) for kind in _JOINED_BY.get(run, ()))
    return run if joins else ""


def _unstacked(text: str) -> str:
    """Cut stacks down. `re` is slow at sets that reach beyond the BMP, so they have a set apart."""
    if not _MAYBE_STACKED.search(text):
        return text
    last = sys.maxunicode if _BEYOND_BMP.search(text) else 0xFFFF
    return _too_many_marks(last).sub(r"\1", text)


_FIRST_MARK = 0x300
_MAYBE_STACKED = re.compile(f"[{chr(_FIRST_MARK)}-\U0010ffff]{{{MOST_MARKS + 1}}}")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")


@cache
def _too_many_marks(last: int) -> re.Pattern[str]:
    """Compile when first needed: `re` knows no categories, and finding marks takes a while."""
    marks = "".join(
        character
        for character in map(chr, range(_FIRST_MARK, last + 1))
        if unicodedata.category(character).startswith("M")
    )
    return re.compile(f"([{marks}]{{{MOST_MARKS}}})[{marks}]+")
