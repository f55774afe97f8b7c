"""Whom an alert is for, before it is looked up."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from kentongan.ids import AlertId, GroupId, RecipientId


class Who(StrEnum):
    """Which people of an earlier alert.

    *May have got* means any attempt that is not certain to be unsent; a correction reaches exactly
    these.
    """

    MAY_HAVE_GOT = "may_have_got"
    NOT_REACHED = "not_reached"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedPoint:
    """One contact point that the caller wrote out, of nobody we know."""

    channel: str
    address: str
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Of:
    """The people of an earlier alert."""

    alert: AlertId
    who: Who


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Groups, people, pasted points, and those of an earlier alert: all of them, each once."""

    groups: tuple[GroupId, ...] = ()
    recipients: tuple[RecipientId, ...] = ()
    points: tuple[PastedPoint, ...] = ()
    of: Of | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "groups": list(self.groups),
            "recipients": list(self.recipients),
            "points": [
                {"channel": p.channel, "address": p.address, "locale": p.locale}
                for p in self.points
            ],
            "of": {"alert": self.of.alert, "who": self.of.who.value} if self.of else None,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        of = body.get("of")
        return cls(
            groups=tuple(body["groups"]),
            recipients=tuple(body["recipients"]),
            points=tuple(PastedPoint(**point) for point in body["points"]),
            of=Of(alert=of["alert"], who=Who(of["who"])) if of else None,
        )
