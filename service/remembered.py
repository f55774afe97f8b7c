"""A few answers that cost much to find and never change, the latest of them."""

from collections.abc import Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ToldT = TypeVar("ToldT")


class Remembered(Generic[KeyT, ToldT]):
    """What was found for at most `most` keys; the oldest is forgotten first.

    Not `functools.lru_cache`, whose keys would have to hold all that an answer is found from.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._told: dict[KeyT, ToldT] = {}

    def get(self, key: KeyT) -> ToldT | None:
        """Return what was found, None where nothing is remembered."""
        found = self._told.pop(key, None)
        if found is not None:
            self._told[key] = found
        return found

    def put(self, key: KeyT, told: ToldT) -> ToldT:
        """Remember, and return, what was found."""
        self._told[key] = told
        if len(self._told) > self._most:
            del self._told[next(iter(self._told))]
        return told
