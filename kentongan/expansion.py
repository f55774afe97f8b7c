"""Turning a page of an audience into people and deliveries: pure, I/O stands around it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kentongan.alert import Alert
from kentongan.delivery import Cause, Work
from kentongan.ids import (
    DeliveryId,
    PersonId,
    RecipientId,
    new_delivery_id,
    new_person_id,
)
from kentongan.outcome import Reason

#: A contact point: channel and address.
Point = tuple[str, str]


class Stage(StrEnum):
    """The parts of an audience, expanded one after the other, each in pages."""

    POINTS = "points"
    RECIPIENTS = "recipients"
    OF = "of"
    DONE = "done"


def next_stage(stage: Stage) -> Stage:
    order = list(Stage)
    return order[order.index(stage) + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One person of the audience, and every contact point by which they may be told."""

    recipient_id: RecipientId | None
    name: str
    locale: str | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    id: PersonId
    recipient_id: RecipientId | None
    name: str
    locale: str
    cause: Cause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    id: DeliveryId
    channel: str
    address: str
    locale: str
    name: str
    units: int
    work: Work
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a page adds: its people, its new deliveries, and who is told by which delivery."""

    people: list[NewPerson] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    links: list[tuple[DeliveryId, PersonId]] = field(default_factory=list)


def expand(
    members: Iterable[Member],
    alert: Alert,
    *,
    fallback_locale: str,
    units: Mapping[tuple[str, str], int],
    suppressed: Collection[Point],
    known: Mapping[Point, DeliveryId],
) -> Expanded:
    """Return what `members` add to `alert`.

    A shared address gets one message that counts for all its people: `known` are those of earlier
    pages. `units` are the pace a message takes, by (channel, locale).
    """
    page = Expanded()
    told: dict[Point, DeliveryId] = dict(known)
    for member in members:
        locale = alert.locale_for(member.locale, fallback_locale)
        usable = [point for point in member.points if point[0] in alert.channels]
        person = NewPerson(
            id=new_person_id(),
            recipient_id=member.recipient_id,
            name=member.name,
            locale=locale,
            cause=None if usable else _cause(member),
        )
        page.people.append(person)
        for point in dict.fromkeys(usable):
            if point not in told:
                new = _delivery(point, member.name, locale, units, suppressed)
                page.deliveries.append(new)
                told[point] = new.id
            page.links.append((told[point], person.id))
    return page


def _cause(member: Member) -> Cause:
    return Cause.NO_POINT_ON_CHANNELS if member.points else Cause.NO_CONTACT_POINT


def _delivery(
    point: Point,
    name: str,
    locale: str,
    units: Mapping[tuple[str, str], int],
    suppressed: Collection[Point],
) -> NewDelivery:
    channel, address = point
    barred = point in suppressed
    return NewDelivery(
        id=new_delivery_id(),
        channel=channel,
        address=address,
        locale=locale,
        name=name,
        units=units[channel, locale],
        work=Work.SUPPRESSED if barred else Work.PENDING,
        reason=Reason.SUPPRESSED if barred else None,
    )
