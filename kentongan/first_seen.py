"""Remembers where each of a million texts was first seen, in twelve bytes or so each."""

import hashlib
import os
from array import array

_SMALLEST = 1 << 10


class FirstSeen:
    """An open-addressing table of 64-bit digests.

    A set of strings would take a hundred megabytes for a million. That two of a million texts are
    taken for one has a chance of three in a hundred million; the key keeps anyone from arranging
    it.
    """

    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._count = 0
        self._make(_SMALLEST)

    def _make(self, slots: int) -> None:
        self._digests = array("Q", bytes(8 * slots))
        self._places = array("L", bytes(array("L").itemsize * slots))

    def place(self, text: str, here: int) -> int | None:
        """Return where `text` was seen before; None the first time, which is noted as `here`."""
        raw = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8, key=self._key)
        digest = int.from_bytes(raw.digest(), "big") or 1
        slot = self._slot(digest)
        if self._digests[slot]:
            return self._places[slot]
        self._digests[slot], self._places[slot] = digest, here
        self._count += 1
        if 2 * self._count > len(self._digests):
            self._grow()
        return None

    def _slot(self, digest: int) -> int:
        """Return where `digest` stands, or the free slot where it belongs."""
        mask = len(self._digests) - 1
        slot = digest & mask
        while self._digests[slot] not in (0, digest):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        digests, places = self._digests, self._places
        self._make(2 * len(digests))
        for digest, place in zip(digests, places, strict=True):
            if digest:
                slot = self._slot(digest)
                self._digests[slot], self._places[slot] = digest, place
