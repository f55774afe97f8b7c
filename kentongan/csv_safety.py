"""CSV that no spreadsheet runs: cells that would be read as formulas are made plain text.

After OWASP, *CSV injection* (ASVS 1.2.10): a cell that begins with one of the characters below may
be taken for a formula; an apostrophe in front makes it text. Phone numbers begin with `+` and are
left alone, since another system may have to read them.
"""

import csv
import io
import re
from collections.abc import Iterable

#: The full-width forms are read as the plain ones where an East Asian input method is in use.
_TRIGGERS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_PHONE = re.compile(r"\+[0-9]{4,20}", re.ASCII)


def safe(cell: str) -> str:
    """Return `cell` as it may be shown to a spreadsheet; NULs are left out."""
    bare = cell.replace("\0", "")
    if bare[:1] not in _TRIGGERS or _PHONE.fullmatch(bare):
        return bare
    return "'" + bare


def as_meant(cell: str) -> str:
    """Return what a cell that `safe` wrote stood for, so that an export can be read in again."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _TRIGGERS else cell


def csv_line(cells: Iterable[str | int | None]) -> str:
    """Return one line as RFC 4180 wants it, CRLF at its end; None is an empty cell."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\r\n")
    writer.writerow(["" if cell is None else safe(str(cell)) for cell in cells])
    return line.getvalue()
