"""Keys serve one purpose each, and an old one verifies for as long as it is listed."""

import hmac
from base64 import b32hexencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kentongan.keyring import MAC_LENGTH, Key, Keyring

OLD, NEW = "the old secret of this deployment", "the new secret of this deployment"


def test_mac_is_genuine_for_its_own_purpose_and_text_alone() -> None:
    ring = Keyring([OLD])
    mac = ring.mac("verp", "abc")

    assert ring.is_genuine("verp", "abc", mac)
    assert not ring.is_genuine("page", "abc", mac)
    assert not ring.is_genuine("verp", "abd", mac)
    assert not ring.is_genuine("verp", "abc", mac[:-1])
    assert not ring.is_genuine("verp", "abc", "")


def test_mac_is_long_enough_and_survives_the_folding_of_case() -> None:
    mac = Keyring([OLD]).mac("verp", "abc")

    assert len(mac) == MAC_LENGTH
    assert MAC_LENGTH * 5 >= 128  # bits, as ASVS asks
    assert mac == mac.lower()
    assert mac.isalnum()


def test_first_key_signs_and_all_verify() -> None:
    rotated = Keyring([NEW, OLD])

    assert rotated.is_genuine("verp", "abc", Keyring([OLD]).mac("verp", "abc"))
    assert rotated.mac("verp", "abc") == Keyring([NEW]).mac("verp", "abc")
    assert not Keyring([NEW]).is_genuine("verp", "abc", Keyring([OLD]).mac("verp", "abc"))


def test_purposes_have_different_keys() -> None:
    ring = Keyring([NEW, OLD])

    keys = {key.secret for purpose in ("verp", "page") for key in ring.keys(purpose)}

    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


@given(secret=st.binary(max_size=200), text=st.binary(max_size=2000))
def test_key_makes_the_macs_of_the_standard_library(secret: bytes, text: bytes) -> None:
    assert Key(secret).mac(text) == hmac.digest(secret, text, "sha256")


@given(text=st.text(), length=st.integers(1, 52))
def test_mac_is_the_beginning_of_an_hmac_in_base32(text: str, length: int) -> None:
    key = hmac.digest(OLD.encode(), b"kentongan:verp", "sha256")
    plain = b32hexencode(hmac.digest(key, text.encode(), "sha256")).decode().lower()

    assert Keyring([OLD]).mac("verp", text, length) == plain[:length]


@example("\udcff" * 26)
@given(st.text(alphabet=st.characters(codec=None)))
def test_nothing_that_comes_from_outside_as_a_mac_raises(mac: str) -> None:
    assert not Keyring([OLD]).is_genuine("verp", "abc", mac)


def test_ring_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])


def test_ring_shows_no_secret() -> None:
    ring = Keyring([OLD])

    assert OLD not in repr(ring)
    assert repr(ring.keys("verp")) == "[Key()]"
