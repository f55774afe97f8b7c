"""Cleaned text can go anywhere: UTF-8, XML, a header, a screen."""

# ruff: noqa: RUF001 - characters that look like others are what these tests are about

import unicodedata
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from templates.clean import MOST_MARKS, clean, one_line

NASTY = st.text(
    alphabet=st.sampled_from(
        "a é👩💻🏳🌈\ufe0f\u200d\u200c\u200b\u202e\u2066\u0301\u0323\u0327\x00\x0b\r\n\u2028\ufffe"
        "\ud800\udc00\ufeffमक\u094dب\U0001f3f4\U000e0067\U000e007f〈"
    )
)
ANY = st.text(alphabet=st.characters(codec=None), max_size=200) | NASTY


@settings(deadline=None)
@given(ANY)
def test_clean_text_is_utf8_and_xml(text: str) -> None:
    cleaned = clean(text)

    element = ET.fromstring(f"<say>{escape(cleaned)}</say>".encode())

    assert (element.text or "") == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Mn", "Mc", "Me"])))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@settings(deadline=None)
@given(ANY)
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)

    assert len(line.splitlines()) <= 1
    assert not set(line) & set("\r\n\0\x0b\x0c\x85\u2028\u2029")


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("pay\u202egnp", "paygnp"),
        ("sa\u00adfe\ufeff", "safe"),
        ("a\u200db", "ab"),
        ("\x00\x1b[31mred\x9b", "[31mred"),
        ("hid\U000e0068\U000e0069den", "hidden"),
        ("ب\U000e0041ب", "بب"),
        ("\ud83d", ""),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_what_cannot_be_seen_is_dropped(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


@pytest.mark.parametrize(
    "written",
    [
        "👩🏽\u200d💻",
        "👨\u200d👩\u200d👧",
        "🏳\ufe0f\u200d🌈",
        "❤\ufe0f\u200d🔥",
        "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
        "می\u200cخواهم",
        "क\u094d\u200dष",
        "1\ufe0f\u20e3",
    ],
)
def test_joiners_that_writing_needs_are_kept(written: str) -> None:
    assert clean(written) == written


@pytest.mark.parametrize("mark", ["\u0301", "\ufe0f", "\U0001d167", "\U000e0100"])
def test_stacked_marks_are_cut_down(mark: str) -> None:
    assert clean("x" + mark * 10_000 + "y") == "x" + mark * MOST_MARKS + "y"


def test_stack_of_mixed_marks_is_cut_down() -> None:
    assert len(clean("x" + "\u0301\U000e0100" * 5_000)) == 1 + MOST_MARKS
