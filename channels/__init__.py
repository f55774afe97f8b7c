"""One file per way of reaching people.

To add a way, put a module here that defines a subclass of `kentongan.channel.Channel` and names it
`CHANNEL`. Nothing else changes: it is found below, configured from `KENTONGAN_<NAME>_*`, paced and
retried by the workers, given `/callbacks/<name>/…`, and held by `tests/contract` to the promises
that every channel makes. Names that start with an underscore are parts, not channels.
"""

import pkgutil
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from kentongan.channel import Channel

AnyChannel = Channel[Any, Any]


def discover() -> dict[str, type[AnyChannel]]:
    """Return the channel classes by name: those of this folder, then installed plug-ins."""
    found: dict[str, type[AnyChannel]] = {}
    for channel in (*_built_in(), *_plugged_in()):
        if channel.name in found:
            raise RuntimeError(f"two channels are called {channel.name!r}")
        found[channel.name] = channel
    return found


def _built_in() -> list[type[AnyChannel]]:
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return [import_module(f"channels.{n}").CHANNEL for n in names if not n.startswith("_")]


def _plugged_in() -> list[type[AnyChannel]]:
    return [entry.load() for entry in entry_points(group="kentongan.channels")]
