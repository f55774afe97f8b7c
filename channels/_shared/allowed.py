"""The operator's exceptions: hosts and networks of their own that webhooks may reach."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Self

from channels._shared.reach import (
    NEVER,
    IPAddress,
    IPNetwork,
    Reach,
    reach_of,
    seen_by_kernel,
)

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_ENTRY = re.compile(r"(?P<where>\[[^\[\]]+\](?:/\d+)?|[^\[\]]+?)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """One entry: a host name or a network, on one port or on all."""

    name: str = ""
    network: IPNetwork | None = None
    port: int | None = None

    def is_for_name(self, host: str, port: int) -> bool:
        return bool(self.name) and self.name == host and self.port in {None, port}

    def is_for_address(self, address: IPAddress, port: int) -> bool:
        return (
            self.network is not None
            and seen_by_kernel(address) in self.network
            and self.port in {None, port}
        )


@dataclass(frozen=True, slots=True)
class Allowed:
    """What `KENTONGAN_WEBHOOK_ALLOW` names."""

    exemptions: tuple[Exemption, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Read the entries; raise `ValueError` with the sentence for the one that is wrong."""
        return cls(tuple(_exemption(entry) for entry in entries))

    def names(self, host: str, port: int) -> bool:
        """Tell whether the host itself is named, whatever address it has."""
        return any(each.is_for_name(host, port) for each in self.exemptions)

    def has(self, address: IPAddress, port: int) -> bool:
        """Tell whether the address lies in a network that is named."""
        return any(each.is_for_address(address, port) for each in self.exemptions)

    def permits(self, host: str, address: IPAddress, port: int) -> bool:
        """Tell whether a connection to `host`, found at `address`, may be opened."""
        match reach_of(address):
            case Reach.NEVER:
                return False
            case Reach.PUBLIC:
                return True
            case Reach.PRIVATE:
                return self.names(host, port) or self.has(address, port)


def _exemption(entry: str) -> Exemption:
    bare = _network(entry)  # an IPv6 address without brackets has colons of its own
    if bare is not None:
        return Exemption(network=_not_never(bare, entry))
    found = _ENTRY.fullmatch(entry)
    port = int(found["port"]) if found and found["port"] else None
    if not found or port == 0 or (port or 0) > 65535:
        raise ValueError(_help(entry))
    where = found["where"].replace("[", "").replace("]", "").lower()
    network = _network(where)
    if network is not None:
        return Exemption(network=_not_never(network, entry), port=port)
    name = where.rstrip(".")
    if not _NAME.fullmatch(name) or "/" in entry or name.rpartition(".")[2].isdigit():
        raise ValueError(_help(entry))
    return Exemption(name=name, port=port)


def _network(text: str) -> IPNetwork | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _not_never(network: IPNetwork, entry: str) -> IPNetwork:
    if any(network.version == each.version and _lies_in(network, each) for each in NEVER):
        raise ValueError(f"{entry!r} is link-local or cloud metadata, which is never called")
    return network


def _lies_in(network: IPNetwork, other: IPNetwork) -> bool:
    return network.network_address in other and network.broadcast_address in other


def _help(entry: str) -> str:
    return f"{entry!r} is neither a host name nor a network; write host, host:port or 10.1.0.0/16"
