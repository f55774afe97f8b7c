"""Ids say what they name and sort by age; a reference to an attempt survives the world outside."""

import time
from base64 import b32hexdecode
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.ids import PREFIXES, TAIL_LENGTH, AttemptRef, new_delivery_id, new_id, new_ids


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


@pytest.mark.parametrize("count", [0, 1, 9000])  # 9000 take more than two milliseconds
def test_ids_made_together_are_different_and_in_order(count: int) -> None:
    before = new_delivery_id()
    made = new_ids("delivery", count)

    assert len(made) == len(set(made)) == count
    assert [before, *made] == sorted([before, *made])


def test_ids_made_together_are_uuids_of_now() -> None:
    began = time.time_ns() // 1_000_000

    for made in new_ids("person", 5000):
        tail = made.removeprefix("per_").upper()
        uuid = UUID(bytes=b32hexdecode(f"{tail}======"))
        assert len(tail) == TAIL_LENGTH
        assert (uuid.version, uuid.variant) == (7, RFC_4122)
        assert 0 <= (uuid.int >> 80) - began < 1000


def test_random_bits_of_ids_made_together_are_all_used() -> None:
    tails = [b32hexdecode(f"{made[4:].upper()}======") for made in new_ids("delivery", 2000)]

    ones = [sum(int.from_bytes(tail, "big") >> bit & 1 for tail in tails) for bit in range(62)]

    assert all(700 < count < 1300 for count in ones)


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
