"""Whom an alert is for: every part of its audience looked up, and the people counted."""

from dataclasses import dataclass

from channels import AnyChannel
from kentongan.access import Extent
from kentongan.alert import Alert, AlertType
from kentongan.audience import Audience, Of, PastedPoint, Who
from kentongan.channel import AddressError, CountryNotAllowedError
from kentongan.ids import AlertId, GroupId, RecipientId
from ledger import groups
from ledger.audience_lookup import MOST_COUNTED, count_people, group_ids, groups_called
from ledger.engine import Db
from service.accepting.earlier import is_capped, is_correction
from service.accepting.faults import Faults
from service.accepting.ways import Ways
from service.api.alert_bodies import NewAlert, NewAudience
from service.calls import Call
from service.people import wrong_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """The audience, and how many people it is now; None where that was not counted."""

    audience: Audience
    people: int | None = None


async def whom_for(
    call: Call, db: Db, body: NewAlert, original: Alert | None, *, ways: Ways, faults: Faults
) -> Whom:
    """Look up an audience; a correction's is given by its original."""
    if is_correction(body):
        got = Of(alert=original.id, who=Who.MAY_HAVE_GOT) if original else None
        return Whom(audience=Audience(of=got))
    asked = body.audience
    if asked is None or not (asked.groups or asked.recipients or asked.points or asked.of):
        faults.note("audience", "It is for nobody.", "Name groups, recipients, points or of.")
        return Whom(audience=Audience())
    if call.extent is Extent.OWN:
        _note_not_granted(asked, faults)
    found = Audience(
        groups=await _groups(call, db, asked, faults),
        recipients=await _recipients(db, asked, faults),
        points=_points(asked, ways, faults, anywhere=not is_capped(body)),
        of=Of(alert=AlertId(asked.of.alert), who=asked.of.who) if asked.of else None,
    )
    people = await _people(call, db, found, faults)
    return Whom(audience=found, people=people)


def names_only_points(body: NewAlert) -> NewAudience | None:
    """Return the audience of an alert that speaks of nothing which would have to be looked up."""
    asked = body.audience
    if body.type is not AlertType.ALERT or body.references or body.stop_original:
        return None
    if asked is None or not asked.points or asked.groups or asked.recipients or asked.of:
        return None
    return asked


def whom_pasted(
    call: Call, body: NewAlert, asked: NewAudience, *, ways: Ways, faults: Faults
) -> Whom:
    """Return an audience of contact points alone."""
    if call.extent is Extent.OWN:
        _note_not_granted(asked, faults)
    found = Audience(points=_points(asked, ways, faults, anywhere=not is_capped(body)))
    return Whom(audience=found, people=_judged(call, len(found.points), faults))


def _note_not_granted(asked: NewAudience, faults: Faults) -> None:
    """An integration alerts its groups and nobody else (design, section 9)."""
    for part, there in (("points", asked.points), ("recipients", asked.recipients)):
        if there:
            faults.note(
                f"audience/{part}",
                "A key of role integration may only alert its groups.",
                f"Put them into a group, and leave {part} out.",
            )


async def _groups(call: Call, db: Db, asked: NewAudience, faults: Faults) -> tuple[GroupId, ...]:
    found = await groups_called(db, asked.groups) if asked.groups else {}
    if call.extent is Extent.OWN:
        granted = call.access.key.groups
        found = {one: names for one, names in found.items() if not set(names).isdisjoint(granted)}
    for place, one in enumerate(asked.groups):
        if one not in found:
            faults.note(
                f"audience/groups/{place}",
                f"There is no group {one}, or it is not yours to alert.",
                "See GET /v1/groups.",
            )
    return group_ids(found.values())


async def _recipients(db: Db, asked: NewAudience, faults: Faults) -> tuple[RecipientId, ...]:
    unknown = set(await groups.strangers(db, asked.recipients)) if asked.recipients else set()
    for place, one in enumerate(asked.recipients):
        if one in unknown:
            faults.note(
                f"audience/recipients/{place}", f"There is nobody {one}.", "See GET /v1/recipients."
            )
    return tuple(RecipientId(one) for one in dict.fromkeys(asked.recipients) if one not in unknown)


def _points(
    asked: NewAudience, ways: Ways, faults: Faults, *, anywhere: bool
) -> tuple[PastedPoint, ...]:
    """Return the pasted points; `anywhere`, also those in countries that are not allowed."""
    found: dict[tuple[str, str], PastedPoint] = {}
    for place, point in enumerate(asked.points):
        at = f"audience/points/{place}"
        if point.channel not in ways:
            faults.note(
                f"{at}/channel", f"It does not go out by {point.channel}.", "Add the channel."
            )
            continue
        try:
            address = _checked(ways[point.channel], point.address, anywhere=anywhere)
        except AddressError as error:
            wrong = wrong_address(point.channel, str(error))
            faults.note(f"{at}/address", wrong.problem, wrong.fix)
            continue
        found.setdefault(
            (point.channel, address),
            PastedPoint(channel=point.channel, address=address, locale=point.locale),
        )
    return tuple(found.values())


def _checked(channel: AnyChannel, address: str, *, anywhere: bool) -> str:
    try:
        return channel.check(address)
    except CountryNotAllowedError as error:
        if anywhere:
            return error.address
        raise


async def _people(call: Call, db: Db, found: Audience, faults: Faults) -> int | None:
    counted = await count_people(db, found, max(MOST_COUNTED, _ceiling(call) or 0))
    return _judged(call, counted, faults)


def _ceiling(call: Call) -> int | None:
    return call.access.key.people_per_alert if call.extent is Extent.OWN else None


def _judged(call: Call, counted: int | None, faults: Faults) -> int | None:
    """Return how many people it is for, where they were all counted; note if they may not be."""
    ceiling = _ceiling(call)
    if counted == 0 and not faults.are_about("audience"):
        faults.note("audience", "There is nobody in it.", "Check whom it is for.")
    if ceiling is not None and (counted is None or counted > ceiling):
        how_many = "too many" if counted is None else f"{counted:,}"
        faults.note(
            "audience",
            f"This key may alert {ceiling:,} people at once; these are {how_many}.",
            "Send it to fewer, or have an officer send it.",
        )
    return counted if counted is None or counted <= MOST_COUNTED else None
