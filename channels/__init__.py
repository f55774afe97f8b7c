"""One file per way of reaching people.

To add a way, put a module here that defines a subclass of `kentongan.channel.Channel` and names it
`CHANNEL`. Nothing else changes: it is found below, configured from `KENTONGAN_<NAME>_*`, paced and
retried by the workers, given `/callbacks/<name>/…`, and held by `tests/contract` to the promises
that every channel makes. Names that start with an underscore are parts, not channels.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points

from channels._shared.providers import MEANING, AnyChannel, Named, Providers, listed
from kentongan.channel import NotPractisableError
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.practice import PROVIDER
from kentongan.settings import PREFIX, SettingsError, load, names_of
from kentongan.weights import at_rest

__all__ = [
    "AnyChannel",
    "Providers",
    "configured",
    "discover",
    "names_in",
    "practising",
    "setting_of_providers",
]

Kinds = Mapping[str, type[AnyChannel]]


def discover() -> dict[str, type[AnyChannel]]:
    """Return the channel classes by name: those of this folder, then installed plug-ins."""
    found: dict[str, type[AnyChannel]] = {}
    for channel in (*_built_in(), *_plugged_in()):
        if channel.name in found:
            raise RuntimeError(f"two channels are called {channel.name!r}")
        found[channel.name] = channel
    return found


def configured(environ: Mapping[str, str], deployment: Deployment) -> Providers:
    """Return the channels that can send, each with its providers; close every one of them.

    One that needs settings and has not got a single one is not configured, and left out. One that
    has some but not all, or a bad one, raises `SettingsError`.
    """
    by_channel: dict[str, list[AnyChannel]] = {}
    shares: dict[str, dict[str, int]] = {}
    for block in _blocks(discover(), environ):
        built = block.kind(load(block.kind.settings_type, environ, block.prefix), deployment)
        built.provider = block.provider.name
        by_channel.setdefault(built.channel, []).append(built)
        shares.setdefault(built.channel, {})[built.provider] = block.provider.share
    return Providers(by_channel, {name: at_rest(wanted) for name, wanted in shares.items()})


def practising(at: SimulatorAt, deployment: Deployment) -> Providers:
    """Return the channels that can be pointed at the simulator, by name; close each of them."""
    built: dict[str, AnyChannel] = {}
    for name, kind in discover().items():
        with suppress(NotPractisableError):
            if not kind.carries:
                built[name] = kind.for_simulator(at, deployment)
                built[name].provider = PROVIDER
    return Providers.single(built)


def names_in(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names that the providers of all channels read in this environment.

    Raises `SettingsError` where two of them would read one name.
    """
    lists = filter(None, map(setting_of_providers, discover().values()))
    known = {variable for variable, _ in lists}
    for block in _blocks(discover(), environ):
        names = names_of(block.kind.settings_type, block.prefix)
        if twice := sorted(names & known):
            raise SettingsError(
                f"{twice[0]} would be read twice; give the provider {block.provider.name} another "
                "name."
            )
        known |= names
    return frozenset(known)


def setting_of_providers(kind: type[AnyChannel]) -> tuple[str, str] | None:
    """Return the variable that lists a channel's providers, and what it means; None: it has none.

    (It is a provider itself, or each of its receivers is.)
    """
    if kind.carries or not kind.has_one_provider:
        return None
    prefix = f"{PREFIX}{kind.name}_".upper()
    return f"{prefix}PROVIDERS", MEANING.format(prefix=prefix)


@dataclass(frozen=True, slots=True)
class _Block:
    """The settings of one provider: whose they are, what reads them, what their names begin with.

    `prefix` is empty for the names of the kind itself.
    """

    provider: Named
    kind: type[AnyChannel]
    prefix: str = ""


def _blocks(kinds: Kinds, environ: Mapping[str, str]) -> Iterator[_Block]:
    """Find the providers that are configured, in the order in which they were listed."""
    for name, kind in kinds.items():
        if kind.carries:
            continue
        setting = setting_of_providers(kind)
        named = listed(setting[0], environ.get(setting[0], "")) if setting else []
        _refuse_unlisted(kinds, name, {one.name for one in named}, environ)
        if named:
            yield from _listed_blocks(kinds, kind, named)
        elif _is_configured(kind, environ):
            yield _Block(Named(name), kind)


def _listed_blocks(kinds: Kinds, kind: type[AnyChannel], named: list[Named]) -> Iterator[_Block]:
    plain = True
    for one in named:
        other = kinds.get(one.name)
        if other is not None and other.carries == kind.name:
            yield _Block(one, other)
        else:
            yield _Block(one, kind, "" if plain else f"{PREFIX}{kind.name}_{one.name}_".upper())
            plain = False


def _refuse_unlisted(
    kinds: Kinds, channel: str, named: set[str], environ: Mapping[str, str]
) -> None:
    """Whoever sets up a carrier and forgets to list it would find out in an emergency."""
    for name, kind in kinds.items():
        if kind.carries != channel or name in named:
            continue
        if found := sorted(names_of(kind.settings_type) & environ.keys()):
            raise SettingsError(
                f"{found[0]} is set, but {PREFIX}{channel.upper()}_PROVIDERS does not name {name}."
            )


def _is_configured(kind: type[AnyChannel], environ: Mapping[str, str]) -> bool:
    needs_some = any(field.is_required() for field in kind.settings_type.model_fields.values())
    return not needs_some or not names_of(kind.settings_type).isdisjoint(environ)


def _built_in() -> list[type[AnyChannel]]:
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return [import_module(f"channels.{n}").CHANNEL for n in names if not n.startswith("_")]


def _plugged_in() -> list[type[AnyChannel]]:
    return [entry.load() for entry in entry_points(group="kentongan.channels")]
