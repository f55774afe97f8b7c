"""The first place of each text is remembered, however many there are."""

from hypothesis import given
from hypothesis import strategies as st

from kentongan.first_seen import FirstSeen


@given(st.lists(st.text(max_size=3), max_size=200))
def test_it_says_what_a_dictionary_would(texts: list[str]) -> None:
    seen, known = FirstSeen(), dict[str, int]()

    for here, text in enumerate(texts):
        assert seen.place(text, here) == known.get(text)
        known.setdefault(text, here)


def test_it_grows() -> None:
    seen = FirstSeen()

    assert all(seen.place(f"E{n}", n) is None for n in range(20_000))

    assert all(seen.place(f"E{n}", -1) == n for n in range(20_000))
