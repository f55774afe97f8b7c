"""Fills the blanks of a text, `((place))`, once and with nothing else to them.

There is no logic, no nesting and no second pass: a value that looks like a blank stays as it is.
"""

import re
from collections.abc import Collection, Mapping

_BLANK = re.compile(r"\(\(([a-z][a-z0-9_]*)\)\)")

#: Characters of a filled text. Far above what any person reads in an emergency; it bounds what
#: one large value repeated in many blanks can cost.
LONGEST = 20_000


class FillError(ValueError):
    """The text cannot be filled; says why in a sentence for the person who wrote it."""

    def __init__(self, sentence: str, missing: Collection[str] = ()) -> None:
        super().__init__(sentence)
        self.missing = frozenset(missing)


def blanks_of(text: str) -> frozenset[str]:
    """Name the blanks of a text; anything else between brackets is plain text."""
    return frozenset(_BLANK.findall(text))


def fill(text: str, blanks: Mapping[str, str], *, longest: int = LONGEST) -> str:
    """Put each value in its place. Values for blanks that the text does not have are passed over.

    Raises:
        FillError: a blank has no value (`missing` has all of them), or the result would be longer
            than `longest` characters (found out before it is built).
    """
    if "((" not in text and len(text) <= longest:
        return text
    names = _BLANK.findall(text)
    if missing := frozenset(names) - blanks.keys():
        raise FillError(f"No value is given for {_listed(missing)}.", missing)
    # A blank costs its name and four brackets.
    length = len(text) + sum(len(blanks[name]) - len(name) - 4 for name in names)
    if length > longest:
        raise FillError(
            f"The text would be {length:,} characters long when filled; {longest:,} are allowed."
        )
    return _BLANK.sub(lambda blank: blanks[blank[1]], text)


def _listed(names: Collection[str]) -> str:
    *others, last = (f"(({name}))" for name in sorted(names))
    return f"{', '.join(others)} and {last}" if others else last
