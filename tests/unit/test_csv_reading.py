"""CSV is read as spreadsheets number it, and no file can make the reader hold more than a row."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.csv_reading import UnreadableError, is_legible, read_rows


def rows(file: bytes) -> list[tuple[int, list[str]]]:
    return list(read_rows(io.BytesIO(file)))


def test_rows_are_numbered_as_spreadsheets_do() -> None:
    file = b'a,b\n\n"one\ntwo",x\n,\n3,y\n'

    assert rows(file) == [(1, ["a", "b"]), (3, ["one\ntwo", "x"]), (5, ["3", "y"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_first_line_tells_the_delimiter(delimiter: str) -> None:
    file = f"a{delimiter}b{delimiter}c\nx{delimiter}y,;{delimiter}z"

    if delimiter == ",":
        assert rows(file.encode())[1][1] == ["x", "y", ";", "z"]
    else:
        assert len(rows(file.encode())[0][1]) == 3


def test_the_rest_is_read_where_one_cell_is_of_another_encoding() -> None:
    [_, bad, good] = rows(b"name\n\xc1ni\nBudi\n")

    assert not is_legible(bad[1][0])
    assert good == (3, ["Budi"])


def test_endless_rows_are_given_up() -> None:
    for file in (
        b"a\n" + b"x" * 5_000_000,
        b'a\n"' + b"x\n" * 3_000_000,
        b"a\n" + b"," * 2_000_000,
    ):
        with pytest.raises(UnreadableError) as caught:
            rows(file)
        assert caught.value.row == 2


@given(st.binary(max_size=300))
def test_no_bytes_are_a_surprise(file: bytes) -> None:
    for start in (b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        numbers = []
        with contextlib.suppress(UnreadableError):
            numbers += [number for number, _ in read_rows(io.BytesIO(start + file))]

        assert numbers == sorted(set(numbers))
