"""Keys for one purpose each, all derived from the deployment's secret key.

`KENTONGAN_SECRET_KEY` is a list: the first signs, all verify, so that a key can be replaced
without invalidating what is on its way.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from typing_extensions import override

#: Letters of a MAC in addresses and links: 26 base32 letters are 130 bits (ASVS asks for 128).
MAC_LENGTH = 26
#: The base32hex letters of ten bits each: a link is made for every message, and `base64` does it
#: ten times slower.
_LETTERS = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
#: Those of a digest, filled up to whole pairs.
_BITS = 260

#: Of HMAC (RFC 2104): what a key is mixed with before and after the text, and how long a key is.
_INNER = bytes(octet ^ 0x36 for octet in range(256))
_OUTER = bytes(octet ^ 0x5C for octet in range(256))
_BLOCK = 64


class Key:
    """A key of HMAC-SHA256, mixed in once: a MAC takes a third of the time of `hmac.digest`."""

    __slots__ = ("_inner", "_outer", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        block = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
        self._inner, self._outer = sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))

    def mac(self, text: bytes) -> bytes:
        """Return the 32 octets that HMAC-SHA256 gives."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.digest()

    @override
    def __repr__(self) -> str:
        return "Key()"


class Keyring:
    """MACs and keys by purpose. A purpose is a constant name such as `"verp"`."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("at least one secret key is needed")
        self._secrets = [secret.encode() for secret in secrets]
        self._keys: dict[str, list[Key]] = {}

    def keys(self, purpose: str) -> list[Key]:
        """Return 32-byte keys for `purpose`, the signing one first."""
        found = self._keys.get(purpose)
        if found is None:
            label = b"kentongan:" + purpose.encode()
            found = [Key(Key(secret).mac(label)) for secret in self._secrets]
            self._keys[purpose] = found
        return found

    def mac(self, purpose: str, text: str, length: int = MAC_LENGTH) -> str:
        """Sign `text`: lower-case base32hex letters, safe in URLs and mailbox names."""
        return _mac(self.keys(purpose)[0], text, length)

    def is_genuine(self, purpose: str, text: str, mac: str, length: int = MAC_LENGTH) -> bool:
        """Tell in constant time whether any of our keys made `mac`."""
        known, given = False, _octets(mac)
        for key in self.keys(purpose):
            known |= hmac.compare_digest(_octets(_mac(key, text, length)), given)
        return known

    @override
    def __repr__(self) -> str:
        return f"Keyring({len(self._secrets)} keys)"


def _mac(key: Key, text: str, length: int) -> str:
    bits = int.from_bytes(key.mac(_octets(text)), "big") << 4
    pairs = range(_BITS - 10, _BITS - 10 - 5 * length, -10)
    return "".join([_PAIRS[(bits >> shift) & 1023] for shift in pairs])[:length]


def _octets(text: str) -> bytes:
    # What comes from outside may hold lone surrogates: bytes that were no UTF-8, in a mailbox name.
    return text.encode("utf-8", "surrogatepass")
