"""Filters that live in a page's address: what was asked, what of it could not be read, and on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

MOST_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of a page by name, those empty left out; `unread` are names with bad values."""

    values: Mapping[str, str]
    unread: tuple[str, ...]

    def get(self, name: str) -> str:
        """Return what was asked, empty for all."""
        return self.values.get(name, "")

    def address(self, **changes: str) -> str:
        """Return the query of the same page with other filters."""
        kept = {name: text for name, text in {**self.values, **changes}.items() if text}
        return f"?{urlencode(kept)}" if kept else "?"


def asked(request: web.Request, closed: Mapping[str, Collection[str]], *free: str) -> Asked:
    """Read filters: of `closed` sets one of their words, of `free` ones any short text."""
    values: dict[str, str] = {}
    unread: list[str] = []
    for name, text in request.query.items():
        if not text.strip():
            continue
        if (name in closed and text in closed[name]) or (
            name in free and len(text) <= MOST_LETTERS
        ):
            values[name] = text
        else:
            unread.append(name)
    return Asked(values, tuple(unread))
