"""SMS parts are counted as carriers count them, and typography is not paid for."""

# ruff: noqa: RUF001 - characters that look like others are what these tests are about

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kentongan.segments import BASIC, EXTENSION, Encoding, beyond_gsm7, count, downgrade

VECTORS = json.loads((Path(__file__).parents[1] / "data/sms_segment_vectors.json").read_text())
TEXTS = st.text(max_size=400) | st.text(alphabet=BASIC + EXTENSION + "ž🚨’", max_size=400)


def count_slowly(text: str) -> tuple[Encoding, int, int]:
    """Put one character after another into parts, as the standard tells it."""
    gsm = all(character in BASIC + EXTENSION for character in text)
    alone, each = (160, 153) if gsm else (70, 67)
    sizes = [
        (2 if character in EXTENSION else 1) if gsm else (2 if ord(character) > 0xFFFF else 1)
        for character in text
    ]
    parts, left = 0, 0
    for size in sizes:
        if size > left:
            parts, left = parts + 1, each
        left -= size
    whole = sum(sizes)
    if whole <= alone:
        parts = min(whole, 1)
    return Encoding.GSM7 if gsm else Encoding.UCS2, whole, parts


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: repr(case["text"][:8]))
def test_published_vectors_hold(case: dict[str, str | int]) -> None:
    cost = count(str(case["text"]))

    assert (cost.encoding, cost.units, cost.segments) == (
        case["encoding"],
        case["units"],
        case["segments"],
    )


def test_alphabet_is_that_of_the_standard() -> None:
    assert set(BASIC) == set(VECTORS["basic"])
    assert set(EXTENSION) == set(VECTORS["extension"])


@settings(deadline=None)
@given(TEXTS)
@example("a" * 152 + "€" + "a" * 152 + "€")
@example("ž" * 66 + "🚨" + "ž" * 65 + "🚨🚨")
def test_count_agrees_with_a_slow_reference(text: str) -> None:
    cost = count(text)

    assert (cost.encoding, cost.units, cost.segments) == count_slowly(text)


def test_lone_surrogate_is_counted_and_not_a_crash() -> None:
    assert count("\ud83d").units == 1


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("Don’t wait – “go” now…", 'Don\'t wait - "go" now...'),
        ("20.00\u00a0WIB\u200b", "20.00 WIB"),
        ("\ufeffe\u0301vacuate", "évacuate"),
        ("o\ufb03ce", "office"),
        ("2 × 3 m", "2 x 3 m"),
        ("line\u2028line", "line\nline"),
        ("plain", "plain"),
    ],
)
def test_typography_is_sent_plain(typed: str, sent: str) -> None:
    assert downgrade(typed) == sent


@pytest.mark.parametrize("kept", ["Don’t go 🚨", "“Ça va” garçon", "Жди – жди", "ẞ’", "İ…"])
def test_text_that_needs_ucs2_anyway_keeps_its_typography(kept: str) -> None:
    assert downgrade(kept) == kept


@settings(deadline=None)
@given(TEXTS)
def test_downgrade_never_costs_a_part_nor_leaves_gsm7_half_way(text: str) -> None:
    sent = downgrade(text)

    assert sent == text or count(sent).encoding is Encoding.GSM7
    assert downgrade(sent) == sent


def test_characters_that_cost_are_named_once_in_order() -> None:
    assert beyond_gsm7("ž a 🚨 ž [") == "ž🚨"
