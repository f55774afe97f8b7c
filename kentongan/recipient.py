"""People and systems that can be reached, their contact points and groups."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from kentongan.clock import Micros
from kentongan.ids import GroupId, PointId, RecipientId, new_id

#: A contact point of somebody: channel and address, in the channel's normal form.
Point = tuple[str, str]

#: What a group is called in requests: `north`, `first-aiders`.
GROUP_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
#: A language tag, as far as we use them: `id`, `en`, `en-GB`, `zh-Hant` (BCP 47).
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)

MOST_POINTS = 20
MOST_GROUPS = 100
LONGEST_NAME = 200
LONGEST_NOTE = 2000
LONGEST_ADDRESS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPoint:
    id: PointId
    channel: str
    address: str
    disabled_reason: str | None = None

    @property
    def point(self) -> Point:
        return self.channel, self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`name` is what callers write, `title` what people read."""

    id: GroupId
    name: str
    title: str
    members: int
    created_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody as the ledger has them; contact points in their order of preference."""

    id: RecipientId
    name: str
    search: str
    locale: str | None
    external_id: str | None
    note: str
    contact_points: tuple[ContactPoint, ...]
    groups: Mapping[str, GroupId]  # by name
    created_at: Micros
    updated_at: Micros


def new_recipient_id() -> RecipientId:
    return RecipientId(new_id("recipient"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Somebody as they are to stand: checked, addresses in normal form, groups known."""

    id: RecipientId = field(default_factory=new_recipient_id)
    name: str
    locale: str | None = None
    external_id: str | None = None
    note: str = ""
    points: tuple[Point, ...] = ()
    groups: frozenset[GroupId] = frozenset()

    @classmethod
    def of(cls, recipient: Recipient) -> Self:
        """Return what changes nothing."""
        return cls(
            id=recipient.id,
            name=recipient.name,
            locale=recipient.locale,
            external_id=recipient.external_id,
            note=recipient.note,
            points=tuple(point.point for point in recipient.contact_points),
            groups=frozenset(recipient.groups.values()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One checked row of a file.

    `points` has a key for each channel that the file has a column for: those channels are replaced,
    all others left as they are. `groups` is None where the file has no such column. An empty
    `locale` leaves the locale that somebody has.
    """

    name: str
    external_id: str | None
    locale: str | None
    points: Mapping[str, tuple[str, ...]]
    groups: tuple[str, ...] | None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "external_id": self.external_id,
            "locale": self.locale,
            "points": {channel: list(them) for channel, them in self.points.items()},
            "groups": None if self.groups is None else list(self.groups),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            name=body["name"],
            external_id=body["external_id"],
            locale=body["locale"],
            points={channel: tuple(them) for channel, them in body["points"].items()},
            groups=None if body["groups"] is None else tuple(body["groups"]),
        )

    def onto(self, known: Draft, group_ids: Mapping[str, GroupId]) -> Draft:
        """Return `known` as this row wants it; `group_ids` has all groups that the row names."""
        kept = [point for point in known.points if point[0] not in self.points]
        listed = [(channel, at) for channel, them in self.points.items() for at in them]
        named = self.groups
        return replace(
            known,
            name=self.name,
            locale=self.locale or known.locale,
            external_id=self.external_id,
            points=(*listed, *kept),
            groups=known.groups if named is None else frozenset(group_ids[n] for n in named),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A contact point that must not be written to, from `made_at` until it is lifted."""

    id: str
    channel: str
    address: str
    reason: str
    made_by: str
    made_at: Micros
    lifted_at: Micros | None = None
    lifted_by: str | None = None
    lifted_reason: str | None = None
