"""Which IP addresses lie on the public internet, which in somebody's own network.

From IANA's special-purpose registries (https://www.iana.org/assignments/iana-ipv4-special-registry
and …/iana-ipv6-special-registry). `ipaddress.is_global` is not enough: it takes NAT64, 6to4,
multicast and old site-local addresses for global ones.
"""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class Reach(StrEnum):
    """Who may be asked to open a connection there."""

    PUBLIC = "public"
    PRIVATE = "private"  # only with the operator's leave
    NEVER = "never"  # link-local and cloud metadata: credentials lie there, receivers never


_PRIVATE_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # class E and broadcast
    )
)
#: All that IANA has given out as global unicast; what lies outside is refused without a list.
_GLOBAL_V6 = IPv6Network("2000::/3")
_PRIVATE_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # the old 6bone
        "3fff::/20",  # documentation
    )
)
NEVER: tuple[IPNetwork, ...] = (
    IPv4Network("169.254.0.0/16"),  # link-local, and most clouds' metadata
    IPv4Network("100.100.100.200/32"),  # Alibaba Cloud metadata
    IPv4Network("168.63.129.16/32"),  # Azure's wire server
    IPv4Network("192.0.0.192/32"),  # Oracle Cloud metadata, old
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::/32"),  # AWS metadata and time
    IPv6Network("fd20:ce::254/128"),  # Google Cloud metadata
)
# IPv6 addresses that a translator or tunnel turns into the IPv4 address in their last 32 bits.
_CARRIERS = (
    IPv6Network("::/96"),  # IPv4-compatible
    IPv6Network("64:ff9b::/96"),  # NAT64
    IPv6Network("64:ff9b:1::/48"),  # NAT64, local use
)
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def read_address(text: str) -> IPAddress | None:
    """Read a canonical literal, without a zone; None for anything else."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def seen_by_kernel(address: IPAddress) -> IPAddress:
    """Return the address that a socket really goes to: of `::ffff:127.0.0.1`, `127.0.0.1`."""
    return getattr(address, "ipv4_mapped", None) or address


def reach_of(address: IPAddress) -> Reach:
    """Return who may open a connection to `address`."""
    real = seen_by_kernel(address)
    if any(_is_never(one) for one in (real, *_carried(real))):
        return Reach.NEVER
    return Reach.PUBLIC if _is_public(real) else Reach.PRIVATE


def _is_never(address: IPAddress) -> bool:
    return any(address in network for network in NEVER)


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _PRIVATE_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _PRIVATE_V6)


def _carried(address: IPAddress) -> list[IPv4Address]:
    """Return the IPv4 addresses that hide in an IPv6 address and may be where it leads."""
    if isinstance(address, IPv4Address):
        return []
    number = int(address)
    found = [*(address.teredo or ())]
    if address.sixtofour:
        found.append(address.sixtofour)
    is_isatap = (number >> 32) & 0xFFFF_FFFF in _ISATAP
    if is_isatap or any(address in network for network in _CARRIERS):
        found.append(IPv4Address(number & 0xFFFF_FFFF))
    return found
