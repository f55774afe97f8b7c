"""A drill cannot look real, nor the real like a drill."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.alert import Mode
from templates.marking import mark

LOCALES = st.sampled_from(["en", "id", "id-ID", "en_GB", "fr", ""])


@pytest.mark.parametrize(
    ("mode", "locale", "word", "ending"),
    [
        (Mode.EXERCISE, "en", "EXERCISE", "This is only an exercise."),
        (Mode.EXERCISE, "id", "LATIHAN", "Ini hanya latihan."),
        (Mode.TEST, "en", "TEST", "This is only a test."),
        (Mode.TEST, "id-ID", "UJI COBA", "Ini hanya uji coba."),
        (Mode.EXERCISE, "fr", "EXERCISE", "This is only an exercise."),
    ],
)
def test_drill_says_so_first_and_last(mode: Mode, locale: str, word: str, ending: str) -> None:
    headline, text = mark(mode, locale, "Flood", "Go up.")

    assert headline == f"{word}: Flood"
    assert text == f"{word}: Go up.\n{ending}"


@settings(deadline=None)
@given(LOCALES, st.text(), st.text())
def test_actual_words_are_untouched(locale: str, headline: str, text: str) -> None:
    assert mark(Mode.ACTUAL, locale, headline, text) == (headline, text)


@settings(deadline=None)
@given(st.sampled_from([Mode.EXERCISE, Mode.TEST]), LOCALES, st.text(), st.text())
def test_no_words_remove_the_mark(mode: Mode, locale: str, headline: str, text: str) -> None:
    begun, ended = mark(mode, locale, headline, text)

    assert begun.startswith(("EXERCISE: ", "LATIHAN: ", "TEST: ", "UJI COBA: "))
    assert ended.startswith(("EXERCISE: ", "LATIHAN: ", "TEST: ", "UJI COBA: "))
    assert ended.endswith((" exercise.", " latihan.", " test.", " uji coba."))
    assert mark(mode, locale, begun, ended) == (begun, ended)
