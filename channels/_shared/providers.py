"""Who carries a channel: one provider or several, told apart by names that an operator gives."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from typing_extensions import override

from kentongan.channel import Channel
from kentongan.practice import PROVIDER as PRACTICE
from kentongan.settings import SettingsError
from kentongan.weights import Shares, at_rest

AnyChannel = Channel[Any, Any]

_NAME = re.compile(r"[a-z][a-z0-9]{0,19}")
_ONE = re.compile(rf"({_NAME.pattern})(?:=(\d{{1,3}}))?")

#: What `KENTONGAN_<CHANNEL>_PROVIDERS` means, for docs/configuration.md.
MEANING = (
    "Who carries the channel where several do, by names of yours: `main,second`, or with shares "
    "`main=70,second=30`. The first is set by this section's variables; another, `second`, by the "
    "same with its name in between, `{prefix}SECOND_…`; a plug-in that carries this channel goes "
    "by its own name and has its own variables."
)


@dataclass(frozen=True, slots=True)
class Named:
    """A provider as an operator lists it."""

    name: str
    share: int = 1


def listed(variable: str, value: str) -> list[Named]:
    """Read a list of providers. Raises `SettingsError` with a sentence that names the variable."""
    found: list[Named] = []
    for part in filter(None, (part.strip() for part in value.split(","))):
        one = _ONE.fullmatch(part)
        if one is None or one[2] == "0":
            raise SettingsError(
                f"{variable} cannot be used: write it as main,second or main=70,second=30 "
                "(letters and digits, at most 20; shares from 1)."
            )
        found.append(Named(one[1], int(one[2] or 0)))
    names = [one.name for one in found]
    if len(set(names)) != len(names) or PRACTICE in names:
        raise SettingsError(f"{variable} names one twice, or the {PRACTICE}, which is for tests.")
    if any(one.share for one in found) and not all(one.share for one in found):
        raise SettingsError(f"{variable} gives some a share and some none; give it to all.")
    return [Named(one.name, one.share or 1) for one in found]


class Providers(Mapping[str, AnyChannel]):
    """All providers of all channels. By a channel's name: its first, which speaks for the channel.

    (It checks addresses, and tells limits and how a message will look.)
    """

    def __init__(
        self, by_channel: Mapping[str, Sequence[AnyChannel]], shares: Mapping[str, Shares]
    ) -> None:
        self._by_channel = {name: tuple(some) for name, some in by_channel.items() if some}
        self._shares = shares

    @classmethod
    def single(cls, channels: Mapping[str, AnyChannel]) -> "Providers":
        """Return channels with one provider each."""
        shares = {name: at_rest({one.provider: 1}) for name, one in channels.items()}
        return cls({name: (one,) for name, one in channels.items()}, shares)

    @override
    def __getitem__(self, channel: str) -> AnyChannel:
        return self._by_channel[channel][0]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._by_channel)

    @override
    def __len__(self) -> int:
        return len(self._by_channel)

    def of(self, channel: str) -> Sequence[AnyChannel]:
        """Return a channel's providers, none where it is not configured."""
        return self._by_channel.get(channel, ())

    def one(self, channel: str, provider: str) -> AnyChannel | None:
        """Return a provider by its name, None where it is gone.

        The first is meant where none was noted, or the one that was alone before there was a list.
        Never another: asked about a message that it never had, it would say that there is none, and
        the message would be sent again.
        """
        some = self.of(channel)
        alone = next(iter(some), None) if provider in {"", channel} else None
        return next((one for one in some if one.provider == provider), alone)

    def at(self, kind: str) -> Sequence[AnyChannel]:
        """Return those whose callbacks come to `/callbacks/<kind>/…`."""
        return [one for one in self.every() if one.name == kind]

    def every(self) -> list[AnyChannel]:
        """Return all of them; close each."""
        return [one for some in self._by_channel.values() for one in some]

    def shares(self, channel: str) -> Shares:
        """Return how a channel's traffic is shared out at rest, by provider."""
        return self._shares.get(channel, MappingProxyType({}))
