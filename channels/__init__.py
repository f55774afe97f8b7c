"""One file per way of reaching people.

To add a way, put a module here that defines a subclass of `kentongan.channel.Channel` and names it
`CHANNEL`. Nothing else changes: it is found below, configured from `KENTONGAN_<NAME>_*`, paced and
retried by the workers, given `/callbacks/<name>/…`, and held by `tests/contract` to the promises
that every channel makes. Names that start with an underscore are parts, not channels.
"""

import pkgutil
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from kentongan.channel import Channel, NotPractisableError
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.settings import load, names_of

AnyChannel = Channel[Any, Any]


def discover() -> dict[str, type[AnyChannel]]:
    """Return the channel classes by name: those of this folder, then installed plug-ins."""
    found: dict[str, type[AnyChannel]] = {}
    for channel in (*_built_in(), *_plugged_in()):
        if channel.name in found:
            raise RuntimeError(f"two channels are called {channel.name!r}")
        found[channel.name] = channel
    return found


def configured(environ: Mapping[str, str], deployment: Deployment) -> dict[str, AnyChannel]:
    """Return the channels that can send, by name; close each of them.

    One that needs settings and has not got a single one is not configured, and left out. One that
    has some but not all, or a bad one, raises `SettingsError`.
    """
    built: dict[str, AnyChannel] = {}
    for name, kind in discover().items():
        if _is_configured(kind, environ):
            built[name] = kind(load(kind.settings_type, environ), deployment)
    return built


def practising(at: SimulatorAt, deployment: Deployment) -> dict[str, AnyChannel]:
    """Return the channels that can be pointed at the simulator, by name; close each of them."""
    built: dict[str, AnyChannel] = {}
    for name, kind in discover().items():
        with suppress(NotPractisableError):
            built[name] = kind.for_simulator(at, deployment)
    return built


def _is_configured(kind: type[AnyChannel], environ: Mapping[str, str]) -> bool:
    needs_some = any(field.is_required() for field in kind.settings_type.model_fields.values())
    return not needs_some or not names_of(kind.settings_type).isdisjoint(environ)


def _built_in() -> list[type[AnyChannel]]:
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return [import_module(f"channels.{n}").CHANNEL for n in names if not n.startswith("_")]


def _plugged_in() -> list[type[AnyChannel]]:
    return [entry.load() for entry in entry_points(group="kentongan.channels")]
