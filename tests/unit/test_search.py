"""Names compare as people type them."""

from hypothesis import given
from hypothesis import strategies as st

from kentongan.search import prefix_range, searchable


def test_capitals_accents_and_blanks_do_not_matter() -> None:
    assert searchable("  Siti\tNurHÀLIZA ") == "siti nurhaliza"
    assert searchable("ﬁrst STRAẞE") == searchable("First strasse")
    assert searchable("\u0301\u0301") == ""


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert searchable(searchable(text)) == searchable(text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=5))
def test_a_prefix_spans_what_begins_with_it(text: str, prefix: str) -> None:
    first, last = prefix_range(prefix)

    assert first <= prefix + text <= last or text.startswith("\U0010ffff")
