"""Passwords are kept so that nobody can read them back, and weak ones are refused."""

import re
from base64 import b64encode

import pytest

from kentongan.passwords import (
    NOBODYS,
    Problem,
    hash_password,
    is_right,
    new_password,
    problem_with,
)

#: RFC 7914, section 12: password, cost, salt and the first 32 octets that come out.
VECTORS = [
    (
        *("password", "ln=10,r=8,p=16", "NaCl"),
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162",
    ),
    (
        *("pleaseletmein", "ln=14,r=8,p=1", "SodiumChloride"),
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2",
    ),
]


def letters(octets: bytes) -> str:
    return b64encode(octets).decode().rstrip("=")


@pytest.mark.parametrize(("password", "cost", "salt", "key"), VECTORS)
def test_hash_is_that_of_the_standard(password: str, cost: str, salt: str, key: str) -> None:
    kept = f"scrypt${cost}${letters(salt.encode())}${letters(bytes.fromhex(key))}"

    assert is_right(password, kept)
    assert not is_right(password + " ", kept)


def test_password_is_right_under_its_own_hash_alone() -> None:
    kept = hash_password("four words of nobody")

    assert re.fullmatch(r"scrypt\$ln=15,r=8,p=1\$[0-9A-Za-z+/]{22}\$[0-9A-Za-z+/]{43}", kept)
    assert is_right("four words of nobody", kept)
    assert not is_right("Four words of nobody", kept)
    assert hash_password("four words of nobody") != kept


def test_way_in_which_a_character_was_typed_does_not_matter() -> None:
    assert is_right("kata sandi cafe\u0301", hash_password("kata sandi caf\u00e9"))


def test_octets_that_are_no_text_are_wrong_and_not_an_error() -> None:
    assert not is_right("\udc80\0", hash_password("four words of nobody"))


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "four words of nobody",
        "scrypt$ln=0,r=8,p=1$AAAA$AAAA",
        "scrypt$ln=30,r=8,p=1$AAAA$AAAA",
        "scrypt$ln=14,r=8,p=1$A$A",
        "md5$ln=14,r=8,p=1$AAAA$AAAA",
        NOBODYS,
    ],
)
def test_what_nobody_made_opens_nothing(kept: str) -> None:
    assert not is_right("four words of nobody", kept)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("", Problem.SHORT),
        ("elevenchars", Problem.SHORT),
        ("x" * 129, Problem.LONG),
        ("Siti@Example.org", Problem.LOGIN),
        ("siti@example.org1", Problem.LOGIN),
        ("Password1234", Problem.COMMON),
        ("111111111111", Problem.COMMON),
        ("abababababab", Problem.COMMON),
        ("four words of nobody", None),
        ("payung jingga di dermaga", None),
        ("siti@example.org has a green umbrella", None),
    ],
)
def test_password_that_is_easy_to_guess_is_refused(password: str, problem: Problem | None) -> None:
    assert problem_with(password, "siti@example.org") is problem


def test_one_time_passwords_are_of_chance_and_good_enough() -> None:
    made = {new_password() for _ in range(1000)}

    assert len(made) == 1000
    assert all(problem_with(one) is None for one in made)
    assert all(re.fullmatch(r"([2-9a-hjkmnp-z]{4}-){3}[2-9a-hjkmnp-z]{4}", one) for one in made)
