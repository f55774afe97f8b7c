"""No spreadsheet takes a cell of ours for a formula, and phone numbers stay what they are."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.csv_safety import as_meant, csv_line, safe

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
    "\uff1d1",
    '=HYPERLINK("http://x","y")',
    "+62812345678a",
    "+6281\n=1",
    "+",
    "-",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_becomes_text(cell: str) -> None:
    assert safe(cell).startswith("'")


@pytest.mark.parametrize("cell", ["+6281234567890", "Ani", "", "a=b", "1-2", "'quoted", " =1"])
def test_what_is_none_is_left_alone(cell: str) -> None:
    assert safe(cell) == cell


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_cells_come_back_as_they_were_meant(cells: list[str]) -> None:
    [row] = csv.reader(io.StringIO(csv_line(cells), newline=""))

    assert not any(cell[:1] in ("=", "-", "@", "\t", "\r", "\n") for cell in row)
    meant = [cell.replace("\0", "") for cell in cells]
    quoted_already = [cell[:1] == "'" for cell in meant]
    for back, was, quoted in zip(row, meant, quoted_already, strict=True):
        assert quoted or as_meant(back) == was


def test_a_line_is_rfc_4180() -> None:
    assert csv_line(["a", None, 3, 'say "hi"', "x,y", "=1"]) == 'a,,3,"say ""hi""","x,y",\'=1\r\n'
