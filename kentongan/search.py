"""Names as people type them in a hurry: without capitals, accents or doubled blanks."""

import unicodedata

#: Sorts behind every text that begins with the same letters.
_LAST = "\U0010ffff"


def searchable(text: str) -> str:
    """Return the form in which names are compared; `Siti Nurhàliza` gives `siti nurhaliza`.

    Idempotent. Takes time in proportion to the text.
    """
    # Twice: a letter may come apart only after it was folded, and fold only after it came apart.
    folded = _decomposed(_decomposed(text).casefold())
    bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return " ".join(bare.split())


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


def prefix_range(prefix: str) -> tuple[str, str]:
    """Return the bounds (both inclusive) of all searchable texts that begin with `prefix`.

    A range and not LIKE: an index serves it on both engines, and nothing needs escaping.
    """
    return prefix, prefix + _LAST
