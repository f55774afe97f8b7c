"""Who may do what: one table, asked by every operation."""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a key or a user is for (design, section 9)."""

    OFFICER = "officer"
    INTEGRATION = "integration"  # another system; keys only
    AUDITOR = "auditor"
    ADMIN = "admin"


class Extent(StrEnum):
    """How far a permission reaches."""

    ALL = "all"
    OWN = "own"  # what this caller made, within its groups and ceilings, and without addresses
    MASKED = "masked"  # everything, but addresses only as far as a reader can recognise them


class Act(StrEnum):
    """What an operation does, as far as permission is concerned."""

    MAKE_ALERT = "alert.make"  # also stop, pause, resume, correct
    READ_ALERT = "alert.read"  # also its deliveries
    REPLAY = "delivery.replay"  # dead letters
    READ_PEOPLE = "people.read"  # recipients, groups, suppressions
    WRITE_PEOPLE = "people.write"
    MANAGE_KEYS = "key.manage"
    USER_MANAGE = "user.manage"  # also to end others' sessions
    READ_AUDIT = "audit.read"
    READ_CAPS = "caps.read"
    READ_PROVIDERS = "provider.read"
    WHO_AM_I = "self.read"


_ALL = Extent.ALL

MAY: Mapping[Act, Mapping[Role, Extent]] = MappingProxyType(
    {
        Act.MAKE_ALERT: {Role.OFFICER: _ALL, Role.INTEGRATION: Extent.OWN, Role.ADMIN: _ALL},
        Act.READ_ALERT: {
            Role.OFFICER: _ALL,
            Role.INTEGRATION: Extent.OWN,
            Role.AUDITOR: Extent.MASKED,
            Role.ADMIN: _ALL,
        },
        Act.REPLAY: {Role.OFFICER: _ALL, Role.ADMIN: _ALL},
        Act.READ_PEOPLE: {Role.OFFICER: _ALL, Role.AUDITOR: Extent.MASKED, Role.ADMIN: _ALL},
        Act.WRITE_PEOPLE: {Role.OFFICER: _ALL, Role.ADMIN: _ALL},
        Act.MANAGE_KEYS: {Role.ADMIN: _ALL},
        Act.USER_MANAGE: {Role.ADMIN: _ALL},
        Act.READ_AUDIT: {Role.AUDITOR: _ALL, Role.ADMIN: _ALL},
        Act.READ_CAPS: {Role.OFFICER: _ALL, Role.AUDITOR: _ALL, Role.ADMIN: _ALL},
        Act.READ_PROVIDERS: {Role.OFFICER: _ALL, Role.AUDITOR: _ALL, Role.ADMIN: _ALL},
        Act.WHO_AM_I: dict.fromkeys(Role, _ALL),
    }
)


def extent_of(role: Role, act: Act) -> Extent | None:
    """Return how far `role` may go; None: not at all."""
    return MAY[act].get(role)


def masked(address: str) -> str:
    """Return an address that its owner recognises and nobody can write to."""
    scheme, is_url, rest = address.partition("://")
    if is_url:
        host = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
        return f"{scheme}://{host}/…"
    name, at, host = address.rpartition("@")
    if at:
        return f"{name[:1]}…@{host}"
    return f"{address[:3]}…{address[-2:]}" if len(address) > 6 else "…"
