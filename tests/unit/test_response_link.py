"""The address of a person's page is made by us, and opens nothing else."""

from kentongan.ids import new_delivery_id
from kentongan.keyring import Keyring
from kentongan.response_link import delivery_of, token_of

KEYRING = Keyring(["a secret key of thirty-two letters or more"])
OTHER_KEY = Keyring(["another secret key of thirty-two letters"])


def test_token_is_made_by_us_alone() -> None:
    one = new_delivery_id()
    token = token_of(KEYRING, one)

    assert len(token) == 53
    assert delivery_of(KEYRING, token) == one
    for place in range(len(token)):
        letter = "a" if token[place] != "a" else "b"
        assert delivery_of(KEYRING, token[:place] + letter + token[place + 1 :]) is None
    for other in (token_of(OTHER_KEY, one), token[:-1], token + "a", token.upper(), "", "-", "é-é"):
        assert delivery_of(KEYRING, other) is None


def test_replaced_key_still_opens_what_was_sent() -> None:
    one = new_delivery_id()
    old = Keyring(["the key of last year, thirty-two letters"])
    both = Keyring(
        ["the key of this year, thirty-two letters", "the key of last year, thirty-two letters"]
    )

    assert delivery_of(both, token_of(old, one)) == one
