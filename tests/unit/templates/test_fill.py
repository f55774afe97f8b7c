"""Blanks are filled once, and a missing one is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from templates.fill import FillError, blanks_of, fill

NAMES = ["place", "until"]
PIECES = st.lists(
    st.sampled_from(["((place))", "((until))", "((", "))", "(", ")", "X", "{{", "%s", "((A))"])
    | st.text(alphabet="() \\é🚨\n{}", max_size=5)
).map("".join)


def test_every_blank_gets_its_value() -> None:
    filled = fill("((what)) in ((place)), ((place))!", {"what": "Flood", "place": "Kota"})

    assert filled == "Flood in Kota, Kota!"


def test_value_that_looks_like_a_blank_stays_as_it_is() -> None:
    filled = fill("((a)) ((b))", {"a": "((b))", "b": "((a))"})

    assert filled == "((b)) ((a))"


@pytest.mark.parametrize(
    "text", ["{{ 7*7 }}", "{place}", "%(place)s", "((Place))", "((1))", "(( a ))", "((a)", r"\g<0>"]
)
def test_anything_but_a_blank_is_plain_text(text: str) -> None:
    assert blanks_of(text) == frozenset()
    assert fill(f"{text}((v))", {"v": text}) == text * 2


def test_brackets_round_a_blank_are_kept() -> None:
    assert fill("(((a)))", {"a": "1"}) == "(1)"


def test_all_missing_blanks_are_named_at_once() -> None:
    with pytest.raises(FillError, match=r"No value is given for \(\(a\)\), \(\(b\)\) and") as told:
        fill("((c)) ((a)) ((b)) ((d))", {"d": "1"})

    assert told.value.missing == {"a", "b", "c"}


def test_megabyte_in_a_thousand_blanks_is_refused_before_it_is_built() -> None:
    with pytest.raises(FillError, match=r"1,000,000,000 characters long .* 20,000 are allowed"):
        fill("((a))" * 1000, {"a": "x" * 1_000_000})


def fill_slowly(text: str, blanks: dict[str, str]) -> str | None:
    """Walk over the text once; None where a value is missing."""
    filled = ""
    while text:
        name = next((name for name in NAMES if text.startswith(f"(({name}))")), None)
        if name is None:
            filled, text = filled + text[0], text[1:]
        elif name in blanks:
            filled, text = filled + blanks[name], text.removeprefix(f"(({name}))")
        else:
            return None
    return filled


@settings(deadline=None)
@given(PIECES, st.dictionaries(st.sampled_from(NAMES), PIECES))
def test_filling_agrees_with_a_single_slow_walk(text: str, blanks: dict[str, str]) -> None:
    expected = fill_slowly(text, blanks)

    if expected is None:
        with pytest.raises(FillError, match="No value is given for"):
            fill(text, blanks)
    else:
        assert fill(text, blanks) == expected
