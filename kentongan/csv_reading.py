"""Reads CSV that strangers wrote: row by row in bounded memory, whatever the file is.

Encodings: UTF-8 with or without a byte-order mark, UTF-16 with one. Delimiters: comma, semicolon or
tab, whichever the first line has most of, since spreadsheets write what their country uses. Rows
are numbered as spreadsheets do: the header is row 1, empty rows count, a cell of several lines is
one row.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import IO

from typing_extensions import override

#: Characters in one row; a file that has more has most likely lost a closing quote.
LONGEST_ROW = 1_000_000
DELIMITERS = ",;\t"
#: Lone surrogates and U+FFFD stand where bytes were no text of the file's encoding.
_ILLEGIBLE = re.compile("[\0\ufffd\ud800-\udfff]")


class UnreadableError(Exception):
    """The file cannot be read on from `row`; `fix` says how to mend it."""

    def __init__(self, row: int, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.row, self.problem, self.fix = row, problem, fix


def read_rows(file: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each row that is not empty; raise `UnreadableError`.

    What is not of the encoding comes through marked, so that one bad cell does not hide the rest.
    `file` stands at its start; it is closed with the last row.
    """
    encoding, errors = _encoding(file)
    yield from _rows(_Lines(io.TextIOWrapper(file, encoding, errors, newline="")))


def is_legible(cell: str) -> bool:
    """Tell whether `cell` is all text: no NUL, nothing that was not of the file's encoding."""
    return not _ILLEGIBLE.search(cell)


def _encoding(file: IO[bytes]) -> tuple[str, str]:
    start = file.read(4)
    file.seek(0)
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise UnreadableError(1, "The file is in UTF-32.", "Save it as CSV UTF-8.")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "replace"
    return "utf-8-sig", "surrogateescape"


class _Lines(Iterator[str]):
    """The lines of a file; refuses to go on for ever in one row."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.taken = 0  # characters since somebody set it to 0

    @override
    def __next__(self) -> str:
        line = self._text.readline(LONGEST_ROW + 1)
        if not line:
            raise StopIteration
        self.taken += len(line)
        if self.taken > LONGEST_ROW:
            raise csv.Error("row too long")
        return line


def _rows(lines: _Lines) -> Iterator[tuple[int, list[str]]]:
    number = 1
    try:
        first = next(lines, "")
        delimiter = max(DELIMITERS, key=first.count)
        # Strict: else a quote that nobody closed would swallow all that follows in silence.
        for cells in csv.reader(chain([first], lines), delimiter=delimiter, strict=True):
            if any(cells):
                yield number, cells
            number += 1
            lines.taken = 0
    except csv.Error:
        raise UnreadableError(
            number,
            "The quotes of this row do not fit, or it is far too long.",
            'Close each quote; write a quote within a quoted cell twice: "".',
        ) from None
