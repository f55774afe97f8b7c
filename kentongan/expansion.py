"""Turning a page of an audience into people and deliveries: pure, I/O stands around it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from typing import Any, NamedTuple, TypeVar, cast

from kentongan.alert import Alert
from kentongan.audience import Audience
from kentongan.delivery import Cause, Work
from kentongan.ids import AlertId, DeliveryId, PersonId, RecipientId, new_ids
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


def stage_at_work(stage: Stage, audience: Audience) -> Stage:
    """Return the first stage from `stage` on for which there is anything in `audience`."""
    parts = {
        Stage.POINTS: audience.points,
        Stage.RECIPIENTS: audience.groups or audience.recipients,
        Stage.OF: audience.of,
    }
    while stage is not Stage.DONE and not parts[stage]:
        stage = next_stage(stage)
    return stage


# A page has thousands of these, and tuples are made in a third of the time that frozen dataclasses
# take; the last three go into the ledger as they are.


class Member(NamedTuple):
    """One person of the audience, and every contact point by which they may be told."""

    recipient_id: RecipientId | None
    name: str
    locale: str | None
    points: Sequence[Point]


class NewPerson(NamedTuple):
    """A row of the alert's people."""

    id: PersonId
    alert_id: AlertId
    recipient_id: RecipientId | None
    name: str
    locale: str
    cause: Cause | None


class NewDelivery(NamedTuple):
    """A row of the alert's deliveries."""

    id: DeliveryId
    alert_id: AlertId
    channel: str
    address: str
    locale: str
    name: str
    units: int
    work: str  # a Work, and a Reason: SQLite's driver asks around for each enum how to write it
    reason: str | None


class NewLink(NamedTuple):
    """A row of who is told by which delivery."""

    delivery_id: DeliveryId
    person_id: PersonId
    alert_id: AlertId


RowT = TypeVar("RowT", bound=tuple[Any, ...])


def named(kind: type[RowT], rows: Iterable[tuple[Any, ...]]) -> list[RowT]:
    """Return rows that have the fields of `kind`, in its order, as that.

    To call `kind` for each of them takes several times as long as to make the row.
    """
    make = cast("Callable[[type[RowT], tuple[Any, ...]], RowT]", tuple.__new__)
    return list(map(make, repeat(kind), rows))


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a page adds: its people, its new deliveries, and who is told by which delivery."""

    people: list[NewPerson] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    links: list[NewLink] = field(default_factory=list)


def expand(
    members: Sequence[Member],
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
    told: dict[Point, str] = dict(known)
    alert_id, channels = alert.id, frozenset(alert.channels)
    locale_of = _locales(members, alert, fallback_locale)
    fresh = iter(new_ids("delivery", sum([len(member.points) for member in members])))
    people, deliveries, links = [], [], []
    for person, member in zip(new_ids("person", len(members)), members, strict=True):
        recipient, name, wanted, points = member
        locale, is_told = locale_of[wanted], False
        for point in points if len(points) < 2 else dict.fromkeys(points):
            channel, address = point
            if channel not in channels:
                continue
            is_told = True
            delivery = told.get(point)
            if delivery is None:
                told[point] = delivery = next(fresh)
                work, reason = _BARRED if point in suppressed else _OPEN
                pace = units[channel, locale]
                deliveries.append(
                    (delivery, alert_id, channel, address, locale, name, pace, work, reason)
                )
            links.append((delivery, person, alert_id))
        cause = None if is_told else _cause(points)
        people.append((person, alert_id, recipient, name, locale, cause))
    return Expanded(named(NewPerson, people), named(NewDelivery, deliveries), named(NewLink, links))


_OPEN = Work.PENDING.value, None
_BARRED = Work.SUPPRESSED.value, Reason.SUPPRESSED.value


def _locales(members: Iterable[Member], alert: Alert, fallback: str) -> dict[str | None, str]:
    """Return the locale to speak in by the one that is wanted, of which there are few."""
    return {wanted: alert.locale_for(wanted, fallback) for wanted in {m.locale for m in members}}


def _cause(points: Sequence[Point]) -> Cause:
    return Cause.NO_POINT_ON_CHANNELS if points else Cause.NO_CONTACT_POINT
