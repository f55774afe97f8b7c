"""The texts that come with Kentongan, one TOML file each: who speaks, what, where, what to do.

The order within a text is that of the Warning Response Model (Mileti and Sorensen, 1990): source,
hazard and its impact, location, guidance, time.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from templates.fill import blanks_of

#: Blanks that the deployment fills (`organisation`: its name) and no caller has to.
FILLED_BY_US = frozenset({"organisation"})

ByLocale = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """One ready text in each of our languages.

    `blanks` are those that the caller fills; `labels` and `examples` say what they mean.
    """

    name: str
    headline: ByLocale
    text: ByLocale
    channel_text: Mapping[str, ByLocale]
    blanks: frozenset[str]
    labels: Mapping[str, ByLocale]
    examples: Mapping[str, ByLocale]


@cache
def builtin() -> Mapping[str, BuiltIn]:
    """Return the built-in texts by name; read once."""
    folder = files("templates").joinpath("builtin")
    found = [_read(entry) for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return MappingProxyType({text.name: text for text in sorted(found, key=lambda t: t.name)})


def _read(file: Traversable) -> BuiltIn:
    told = tomllib.loads(file.read_text("utf-8"))
    headline: dict[str, str] = told["headline"]
    text: dict[str, str] = told["text"]
    channel_text: dict[str, dict[str, str]] = told.get("channel_text", {})
    asked: dict[str, dict[str, Any]] = told.get("blanks", {})
    wordings = [headline, text, *channel_text.values()]
    blanks = frozenset[str]().union(*(blanks_of(w) for by in wordings for w in by.values()))
    return BuiltIn(
        name=file.name.removesuffix(".toml"),
        headline=MappingProxyType(headline),
        text=MappingProxyType(text),
        channel_text=MappingProxyType(channel_text),
        blanks=blanks - FILLED_BY_US,
        labels=MappingProxyType({blank: words["label"] for blank, words in asked.items()}),
        examples=MappingProxyType({blank: words["example"] for blank, words in asked.items()}),
    )
