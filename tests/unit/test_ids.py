"""Ids say what they name and sort by age; a reference to an attempt survives the world outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.ids import PREFIXES, TAIL_LENGTH, AttemptRef, new_delivery_id, new_id


@pytest.mark.parametrize("kind", sorted(PREFIXES))
def test_id_says_what_it_names(kind: str) -> None:
    made = new_id(kind)

    assert made.startswith(PREFIXES[kind])
    tail = made.removeprefix(PREFIXES[kind])
    assert len(tail) == TAIL_LENGTH
    assert tail == tail.lower()
    assert tail.isalnum()


def test_no_two_prefixes_are_alike() -> None:
    assert len(set(PREFIXES.values())) == len(PREFIXES)


def test_ids_are_never_given_twice() -> None:
    assert len({new_delivery_id() for _ in range(5000)}) == 5000


def test_later_id_sorts_after_an_earlier_one() -> None:
    earlier = new_delivery_id()
    while (later := new_delivery_id())[:16] == earlier[:16]:
        pass  # the same fraction of a millisecond

    assert later > earlier


@given(st.integers(1, 9999))
def test_reference_to_an_attempt_is_read_back_whatever_folds_its_case(no: int) -> None:
    ref = AttemptRef(new_delivery_id(), no)

    assert AttemptRef.parse(str(ref)) == ref
    assert AttemptRef.parse(str(ref).upper()) == ref


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "0" * TAIL_LENGTH,
        "0" * TAIL_LENGTH + ".",
        "0" * TAIL_LENGTH + ".-1",
        "0" * TAIL_LENGTH + ".1.2",
        "0" * TAIL_LENGTH + ".12345",
        "0" * TAIL_LENGTH + ".\u0661",
        "0" * (TAIL_LENGTH - 1) + "\u00e9.1",
        "0" * (TAIL_LENGTH - 1) + "/.1",
        "0" * (TAIL_LENGTH + 1) + ".1",
    ],
)
def test_anything_else_from_outside_is_no_reference(text: str) -> None:
    assert AttemptRef.parse(text) is None


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_text_from_outside_raises(text: str) -> None:
    AttemptRef.parse(text)
