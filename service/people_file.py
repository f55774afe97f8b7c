"""A CSV file of people: what its columns mean, and what is wrong with its rows."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import count

from channels import AnyChannel
from kentongan.csv_reading import is_legible
from kentongan.csv_safety import as_meant
from kentongan.first_seen import FirstSeen
from kentongan.recipient import (
    GROUP_NAME,
    LOCALE,
    LONGEST_NAME,
    MOST_GROUPS,
    MOST_POINTS,
    ImportRow,
)
from service.people import LONGEST_EXTERNAL_ID, Wrong, normal_address
from templates.clean import one_line

#: Characters in a cell.
LONGEST_CELL = 10_000

PLAIN_COLUMNS = ("external_id", "name", "locale", "groups")
#: What other systems call our columns; used to say what was probably meant.
_OTHER_NAMES = {
    "phone": "sms",
    "mobile": "sms",
    "telephone": "sms",
    "mail": "email",
    "e-mail": "email",
    "group": "groups",
    "language": "locale",
    "lang": "locale",
    "id": "external_id",
    "full_name": "name",
    "nama": "name",
    "telepon": "sms",
    "hp": "sms",
    "surel": "email",
    "grup": "groups",
    "bahasa": "locale",
}
_NUMBERED = re.compile(r"(.+)_([2-9]|1[0-9]|20)", re.ASCII)
#: A phone number that a spreadsheet took for a quantity.
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """What is wrong with one cell; `column` is empty where it is the row as a whole."""

    row: int
    column: str
    wrong: Wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """One row: what it says, or else what is wrong with it."""

    number: int
    said: ImportRow | None
    faults: list[RowFault] = field(default_factory=list)


class HeaderError(Exception):
    """The first row does not say what the others mean."""

    def __init__(self, faults: list[RowFault]) -> None:
        super().__init__("the header row is wrong")
        self.faults = faults


class PeopleFile:
    """Reads the rows under one header. Made for one file, since no external id may come twice."""

    def __init__(self, header: Iterable[str], channels: Mapping[str, AnyChannel]) -> None:
        """Raise `HeaderError` with all that is wrong with `header`."""
        self._channels = channels
        self._columns = [_column_name(cell) for cell in header]
        if faults := _header_faults(self._columns, channels):
            raise HeaderError(faults)
        self._channel_of = {
            name: _channel(name, channels)
            for name in self._columns
            if name and name not in PLAIN_COLUMNS
        }
        self._ids = FirstSeen()

    def read(self, number: int, cells: list[str]) -> ReadRow:
        """Read the row with this number; all that is wrong with it at once."""
        reading = _Reading(number)
        given = self._cells(cells, reading)
        name = reading.name(given.get("name", ""))
        external_id = reading.external_id(given.get("external_id", ""), self._ids)
        locale = reading.locale(given.get("locale", ""))
        groups = reading.groups(given["groups"]) if "groups" in given else None
        points = self._points(given, reading)
        if reading.faults:
            return ReadRow(number=number, said=None, faults=reading.faults)
        said = ImportRow(
            name=name, external_id=external_id, locale=locale, points=points, groups=groups
        )
        return ReadRow(number=number, said=said)

    def _cells(self, cells: list[str], reading: "_Reading") -> dict[str, str]:
        """Return what stands under each column; a row may end early, but not late."""
        given = dict.fromkeys(filter(None, self._columns), "")
        for place, cell in enumerate(cells):
            column = self._columns[place] if place < len(self._columns) else ""
            if not column:
                if cell.strip():
                    reading.fault(
                        f"column {place + 1}",
                        "It stands under no column.",
                        "Name the column in the first row, or quote a cell that has a delimiter.",
                    )
            elif len(cell) > LONGEST_CELL:
                reading.fault(column, f"It has over {LONGEST_CELL:,} characters.", "Shorten it.")
            elif not is_legible(cell):
                reading.fault(
                    column, "It has bytes that are no text.", "Save the file as CSV UTF-8."
                )
            else:
                given[column] = as_meant(cell.strip())
        return given

    def _points(self, given: Mapping[str, str], reading: "_Reading") -> dict[str, tuple[str, ...]]:
        points: dict[str, list[str]] = {channel: [] for channel in self._channel_of.values()}
        for column, channel in self._channel_of.items():
            if not given[column]:
                continue
            address = normal_address(self._channels, channel, given[column])
            if isinstance(address, Wrong):
                reading.wrong(column, _rounded(given[column]) or address)
            elif address in points[channel]:
                reading.fault(column, "The row has this address twice.", "Empty one of the cells.")
            else:
                points[channel].append(address)
        if sum(map(len, points.values())) > MOST_POINTS:
            reading.fault("", f"There are over {MOST_POINTS} contact points.", "Keep the best.")
        return {channel: tuple(them) for channel, them in points.items()}


class _Reading:
    """The faults of one row, and the readers of its plain columns."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.faults: list[RowFault] = []

    def wrong(self, column: str, wrong: Wrong) -> None:
        self.faults.append(RowFault(row=self.number, column=column, wrong=wrong))

    def fault(self, column: str, problem: str, fix: str) -> None:
        self.wrong(column, Wrong(problem, fix))

    def _bounded(self, column: str, cell: str, most: int) -> str:
        shown = one_line(cell)
        if len(shown) > most:
            self.fault(column, f"It has over {most} characters.", "Shorten it.")
        return shown

    def name(self, cell: str) -> str:
        shown = self._bounded("name", cell, LONGEST_NAME)
        if not shown and not any(fault.column == "name" for fault in self.faults):
            self.fault("name", "There is no name.", "Write one; it is how people find them.")
        return shown

    def external_id(self, cell: str, seen: FirstSeen) -> str | None:
        shown = self._bounded("external_id", cell, LONGEST_EXTERNAL_ID)
        if not shown:
            return None
        if (row := seen.place(shown, self.number)) is not None:
            self.fault("external_id", f"Row {row} has the same one.", "Keep one of the rows.")
        return shown

    def locale(self, cell: str) -> str | None:
        if not cell:
            return None
        language, *rest = cell.replace("_", "-").split("-")
        tag = "-".join((language.lower(), *rest))
        if not LOCALE.fullmatch(tag):
            self.fault("locale", "This is no language.", "Write id or en, or leave it empty.")
        return tag

    def groups(self, cell: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(filter(None, map(str.strip, re.split(r"[;|]", cell)))))
        if len(names) > MOST_GROUPS:
            self.fault("groups", f"There are over {MOST_GROUPS}.", "Keep fewer.")
        for name in names:
            if not GROUP_NAME.fullmatch(name) or name.startswith("grp_"):
                self.fault(
                    "groups",
                    f"{name[:60]} cannot be the name of a group.",
                    "Use small letters, digits, - and _; put ; between names.",
                )
        return names


def _rounded(cell: str) -> Wrong | None:
    if not _ROUNDED.fullmatch(cell):
        return None
    return Wrong(
        "The spreadsheet rounded this number.", "Format the column as text and enter it again."
    )


def _column_name(cell: str) -> str:
    if not is_legible(cell):
        return "?"
    return as_meant("_".join(cell.strip().casefold().split()))


def _channel(column: str, channels: Mapping[str, AnyChannel]) -> str:
    """Return the channel that `sms` or `sms_2` is of; "" if it is of none."""
    if column in channels:
        return column
    numbered = _NUMBERED.fullmatch(column)
    return numbered[1] if numbered and numbered[1] in channels else ""


def _header_faults(columns: list[str], channels: Mapping[str, AnyChannel]) -> list[RowFault]:
    faults: list[RowFault] = []
    places: dict[str, list[int]] = defaultdict(list)
    for place, column in zip(count(1), columns, strict=False):
        places[column].append(place)
    for column, found in places.items():
        if column and column not in PLAIN_COLUMNS and not _channel(column, channels):
            faults.append(
                _header_fault(column, "There is no such column.", _near(column, channels))
            )
        elif column and len(found) > 1:
            listed = ", ".join(map(str, found))
            fix = f"Call the second one {column}_2." if column in channels else "Keep one."
            faults.append(_header_fault(column, f"Columns {listed} have the same name.", fix))
    if "name" not in columns:
        faults.append(_header_fault("name", "There is no column name.", "Add it."))
    return faults


def _header_fault(column: str, problem: str, fix: str) -> RowFault:
    return RowFault(row=1, column=column[:60], wrong=Wrong(problem, fix))


def _near(column: str, channels: Mapping[str, AnyChannel]) -> str:
    known = [*PLAIN_COLUMNS, *channels]
    meant = _OTHER_NAMES.get(column)
    near = [meant] if meant in known else get_close_matches(column[:60], known, n=1)
    if near:
        return f"Did you mean {near[0]}? Else take the column out."
    return f"Take it out; columns are {', '.join(known)}, and {known[-1]}_2 for a second one."
