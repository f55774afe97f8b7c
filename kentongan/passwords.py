"""Passwords of people: kept as scrypt leaves them (RFC 7914), refused where anyone guesses them.

Hashing costs 0.1 s of a core and 32 MiB, on purpose: callers run it in a thread, and not many at
once.
"""

import hashlib
import hmac
import re
import secrets
import unicodedata
from base64 import b64decode, b64encode
from enum import StrEnum

SHORTEST = 12
#: More would only be work for us: 128 characters hold more than the key that comes out.
LONGEST = 128

#: log2 of N, r and p; they stand beside each hash, so that they can be raised.
_COST = (15, 8, 1)
_SALT_BYTES = 16
_KEY_BYTES = 32
_SHAPE = re.compile(
    r"scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([0-9A-Za-z+/]+)\$([0-9A-Za-z+/]+)", re.ASCII
)
#: scrypt takes 128 * N * r bytes and a little more; whatever asks for four times ours is not ours.
_MOST_MEMORY = 160 * 1024 * 1024

#: No 0, 1, i, l, o: these are read off a screen and typed. 16 of them are 79 random bits.
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP = 4, 4

#: The commonest of twelve characters and more; shorter ones are refused anyway.
_COMMON = frozenset(
    {
        "123456789012",
        "1234567890123",
        "12345678901234",
        "123456789012345",
        "1234567890123456",
        "administrator",
        "bismillah123",
        "iloveyou1234",
        "indonesia123",
        "indonesia2024",
        "indonesia2025",
        "indonesia2026",
        "indonesiaraya",
        "kentongan123",
        "kentongan1234",
        "letmein12345",
        "merdeka17845",
        "password1234",
        "password12345",
        "password123456",
        "passwordpassword",
        "qwerty123456",
        "qwertyuiop12",
        "qwertyuiop123",
        "qwertyuiopasdfghjkl",
        "rahasia12345",
        "sayangku1234",
        "welcome12345",
        "1q2w3e4r5t6y",
    }
)


class Problem(StrEnum):
    """Why a password will not do, in the sentence for the person."""

    SHORT = "Use at least 12 characters."
    LONG = "Use at most 128 characters."
    LOGIN = "Use something that does not contain the login."
    COMMON = "Many people use this one; choose another."


def new_password() -> str:
    """Return a fresh one that a person can read off a screen and type."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def problem_with(password: str, login: str = "") -> Problem | None:
    """Return what is wrong with a password that somebody chose; None if it will do."""
    plain = _normal(password)
    if len(plain) < SHORTEST:
        return Problem.SHORT
    if len(plain) > LONGEST:
        return Problem.LONG
    folded = plain.casefold()
    if login and login.casefold() in folded and len(folded) - len(login) < SHORTEST:
        return Problem.LOGIN
    if folded in _COMMON or len(set(folded)) < 4:
        return Problem.COMMON
    return None


def hash_password(password: str) -> str:
    """Return what is kept of a password: `scrypt$ln=15,r=8,p=1$<salt>$<hash>`."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return _kept(salt, _scrypt(password, salt, _COST))


def is_right(password: str, kept: str) -> bool:
    """Tell in constant time whether `kept` was made of `password`; what nobody made never is."""
    shape = _SHAPE.fullmatch(kept)
    if shape is None:
        return False
    ln, r, p = (int(number) for number in shape.groups()[:3])
    try:
        salt, key = (b64decode(text + "=" * (-len(text) % 4)) for text in shape.groups()[3:])
        made = _scrypt(password, salt, (ln, r, p))
    except ValueError:  # half a letter of base64, or more memory than we give
        return False
    return hmac.compare_digest(made, key)


def _scrypt(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    ln, r, p = cost
    # Of a character that can be typed in several ways, the way does not matter (NIST SP 800-63B).
    octets = _normal(password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(
        octets, salt=salt, n=1 << ln, r=r, p=p, maxmem=_MOST_MEMORY, dklen=_KEY_BYTES
    )


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _kept(salt: bytes, key: bytes) -> str:
    ln, r, p = _COST
    parts = (b64encode(part).decode().rstrip("=") for part in (salt, key))
    return f"scrypt$ln={ln},r={r},p={p}${'$'.join(parts)}"


#: Held against what is typed for a login that nobody has, so that it takes as long; nobody has
#: a password that gives 32 octets of zero.
NOBODYS = _kept(bytes(_SALT_BYTES), bytes(_KEY_BYTES))
