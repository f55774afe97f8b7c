"""Lint names what a tired officer overlooks, and is silent about a good warning."""

# ruff: noqa: RUF001 - characters that look like others are what these tests are about

import pytest

from kentongan.alert import Mode
from templates.lint import LintCode, lint

GOOD = "City BPBD: TIDAL FLOOD in North Semarang. MOVE NOW to the 2nd floor. Valid to 8 pm WIB."


def codes(text: str, *, headline: str = "Tidal flood", mode: Mode = Mode.ACTUAL) -> set[LintCode]:
    return {warning.code for warning in lint(headline, text, "en", mode=mode)}


def test_good_warning_gives_no_remark() -> None:
    assert lint("Tidal flood", GOOD, "en", mode=Mode.ACTUAL, organisation="City BPBD") == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FLOOD. Climb up now.", LintCode.NO_PLACE),
        ("Flood in Kota. Climb up.", LintCode.NO_TIME),
        (GOOD.upper(), LintCode.SHOUTING),
        (f"{GOOD} https://bit.ly/x", LintCode.LINK),
        (f"{GOOD} Call ((phone)).", LintCode.UNFILLED_BLANK),
        (f"Exercise! {GOOD}", LintCode.LOOKS_LIKE_DRILL),
        (f"This is a drill. {GOOD}", LintCode.LOOKS_LIKE_DRILL),
        (GOOD * 5, LintCode.LONG_SMS),
        (f"{GOOD} 🚨", LintCode.COSTLY_CHARACTERS),
    ],
)
def test_each_fault_is_named(text: str, code: LintCode) -> None:
    assert codes(text) == {code}


def test_drill_may_begin_like_a_drill() -> None:
    assert codes(f"LATIHAN: {GOOD}", mode=Mode.EXERCISE) == set()
    assert codes(f"LATIHAN: {GOOD}") == {LintCode.LOOKS_LIKE_DRILL}
    assert codes(GOOD, headline="Latihan evakuasi") == {LintCode.LOOKS_LIKE_DRILL}


def test_sender_who_is_not_named_is_missed() -> None:
    [warning] = lint("Flood", GOOD, "en", mode=Mode.ACTUAL, organisation="Red Cross")

    assert warning.sentence == "The text does not say who speaks (Red Cross)."


def test_costly_characters_are_named_but_not_typography() -> None:
    [warning] = lint("Flood", f"{GOOD} – ž\u0007🚨", "en", mode=Mode.ACTUAL)

    assert "ž (latin small letter z with caron)" in warning.sentence
    assert "U+0007" in warning.sentence
    assert "police cars revolving light" in warning.sentence
    assert "(en dash)" in warning.sentence


def test_words_by_sms_are_judged_where_they_differ() -> None:
    found = lint("Flood", GOOD * 5, "en", mode=Mode.ACTUAL, sms_text=GOOD)

    assert found == []
