"""Codes are those of the standard, and each lets in once."""

from base64 import b32encode
from urllib.parse import parse_qs, urlsplit

import pytest

from kentongan.totp import STEP, code_at, counter_of, new_secret, uri

SECRET = b32encode(b"12345678901234567890").decode()
#: RFC 6238, appendix B, SHA-1; of its eight digits the last six.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("now", "code"), VECTORS)
def test_code_is_that_of_the_standard(now: int, code: str) -> None:
    assert code_at(SECRET, now // STEP) == code
    assert counter_of(SECRET, code, now) == now // STEP


def test_clock_may_be_one_step_off_either_way() -> None:
    code = code_at(SECRET, 1000)

    taken = [at for at in range(990, 1011) if counter_of(SECRET, code, at * STEP) is not None]

    assert taken == [999, 1000, 1001]


def test_code_serves_once_and_so_does_every_earlier_one() -> None:
    now = 1000 * STEP + 12.5
    used = counter_of(SECRET, code_at(SECRET, 1000), now)

    assert used == 1000
    assert counter_of(SECRET, code_at(SECRET, 1000), now, after=used) is None
    assert counter_of(SECRET, code_at(SECRET, 999), now, after=used) is None
    assert counter_of(SECRET, code_at(SECRET, 1001), now, after=used) == 1001


@pytest.mark.parametrize("code", ["", "28708", "2870822", "28708x", "٢٨٧٠٨٢", "\udc80", "-28708"])
def test_what_is_no_code_is_wrong_and_not_an_error(code: str) -> None:
    assert counter_of(SECRET, code, 59) is None


def test_code_may_be_typed_as_authenticators_show_it() -> None:
    assert counter_of(SECRET, " 287 082 ", 59) == 1


def test_secrets_are_160_random_bits_each() -> None:
    made = {new_secret() for _ in range(1000)}

    assert len(made) == 1000
    assert all(len(secret) == 32 for secret in made)


def test_authenticator_reads_whose_and_what_it_is() -> None:
    told = urlsplit(uri(SECRET, "siti@example.org", "BPBD Kota: Semarang"))

    assert (told.scheme, told.netloc) == ("otpauth", "totp")
    assert told.path == "/BPBD%20Kota%3A%20Semarang:siti%40example.org"
    assert "+" not in told.query
    assert parse_qs(told.query) == {
        "secret": [SECRET],
        "issuer": ["BPBD Kota: Semarang"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
