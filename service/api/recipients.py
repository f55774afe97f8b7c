"""`/v1/recipients`: people and systems, and the contact points by which they are reached."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from kentongan.access import Act, Extent
from kentongan.clock import to_datetime, to_micros
from kentongan.ids import GroupId
from kentongan.recipient import (
    LONGEST_NAME,
    MOST_GROUPS,
    MOST_POINTS,
    ContactPoint,
    Draft,
    Point,
    Recipient,
)
from kentongan.webhook_signing import signing_secret
from ledger import audit, groups, recipients
from ledger.engine import Db
from ledger.recipients import ExternalIdTakenError
from service.calls import Call
from service.cursors import cursor_of, position_of
from service.people import (
    Address,
    ChannelName,
    ExternalId,
    GroupName,
    Locale,
    Name,
    Note,
    RecipientIdText,
    Wrong,
    known_channels,
    normal_address,
    unknown_group,
)
from service.web.bodies import Body, Instant, Out, Path, Query
from service.web.openapi import Api
from service.web.problems import Fault, ProblemError, invalid, missing

api = Api("recipients")


class RecipientPath(Path):
    recipient_id: RecipientIdText


class RecipientsQuery(Query):
    q: str = Field("", max_length=LONGEST_NAME, description="How the name begins, however spelt.")
    group: GroupName | None = None
    channel: ChannelName | None = None
    external_id: ExternalId | None = None
    limit: int = Field(100, ge=1, le=500)
    cursor: str = Field("", max_length=4096, description="`next` of the page before.")


class PointIn(Body):
    channel: ChannelName
    address: Address


class NewRecipient(Body):
    name: Name
    locale: Locale | None = None
    external_id: ExternalId | None = None
    note: Note = ""
    contact_points: list[PointIn] = Field(
        default_factory=list, max_length=MOST_POINTS, description="The best one first."
    )
    groups: list[GroupName] = Field(default_factory=list, max_length=MOST_GROUPS)


class RecipientChange(Body):
    """What is left out stays as it is; lists are replaced whole."""

    name: Name = Field(default_factory=str)
    locale: Locale | None = None
    external_id: ExternalId | None = None
    note: Note = ""
    contact_points: list[PointIn] = Field(default_factory=list, max_length=MOST_POINTS)
    groups: list[GroupName] = Field(default_factory=list, max_length=MOST_GROUPS)


class PointOut(Out):
    id: str
    channel: str
    address: str | None
    disabled: str | None = Field(description="Why it is not used any more; null while it is.")
    signing_secret: str | None = Field(
        description="What a webhook receiver verifies our signatures with."
    )


class RecipientOut(Out):
    id: str
    name: str
    locale: str | None
    external_id: str | None
    note: str
    contact_points: list[PointOut]
    groups: list[str]
    created_at: Instant
    updated_at: Instant


class RecipientPage(Out):
    recipients: list[RecipientOut]
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


@api.op("POST", "/v1/recipients", may=Act.WRITE_PEOPLE, status=201, errors=(409,))
async def create_recipient(call: Call, *, body: NewRecipient) -> RecipientOut:
    """Add somebody who can be reached. Two people may share an address."""
    points, faults = _checked(call, body.contact_points)
    now = to_micros(call.now())
    try:
        async with call.ledger.write() as db:
            group_ids = await _group_ids(db, body.groups, faults)
            draft = Draft(
                name=body.name,
                locale=body.locale,
                external_id=body.external_id,
                note=body.note,
                points=points,
                groups=group_ids,
            )
            await recipients.add(db, [draft], now)
            await audit.add(
                db, actor=call.caller, action="recipient.create", subject=draft.id, detail={}
            )
            return _out(call, await _existing(db, draft.id))
    except ExternalIdTakenError:
        raise _taken() from None


@api.op("GET", "/v1/recipients", may=Act.READ_PEOPLE)
async def list_recipients(call: Call, *, query: RecipientsQuery) -> RecipientPage:
    """List people by name."""
    after = position_of(query.cursor) if query.cursor else None
    async with call.ledger.read() as db:
        group_id = None
        if query.group is not None:
            group_id = (await groups.ids_of(db, [query.group])).get(query.group)
            if group_id is None:
                raise invalid([unknown_group(query.group).at("group", "query")])
        found = await recipients.page(
            db,
            prefix=query.q,
            group=group_id,
            channel=query.channel,
            external_id=query.external_id,
            after=after,
            limit=query.limit + 1,
        )
    shown = found[: query.limit]
    more = len(found) > query.limit
    return RecipientPage(
        recipients=[_out(call, one) for one in shown],
        next=cursor_of(shown[-1].search, shown[-1].id) if more else None,
    )


@api.op("GET", "/v1/recipients/{recipient_id}", may=Act.READ_PEOPLE)
async def read_recipient(call: Call, *, path: RecipientPath) -> RecipientOut:
    """Read somebody's contact points and groups."""
    async with call.ledger.read() as db:
        return _out(call, await _existing(db, path.recipient_id))


@api.op("PATCH", "/v1/recipients/{recipient_id}", may=Act.WRITE_PEOPLE, errors=(409,))
async def change_recipient(
    call: Call, *, path: RecipientPath, body: RecipientChange
) -> RecipientOut:
    """Change somebody. A contact point that stays in the list keeps its id and its state."""
    points, faults = _checked(call, body.contact_points)
    given = {name: getattr(body, name) for name in body.model_fields_set}
    if "contact_points" in given:
        given["points"] = points
        del given["contact_points"]
    try:
        async with call.ledger.write() as db:
            before = await _existing(db, path.recipient_id, lock=True)
            group_ids = await _group_ids(db, body.groups, faults)
            if "groups" in given:
                given["groups"] = group_ids
            await recipients.save(db, [replace(Draft.of(before), **given)], to_micros(call.now()))
            changed = {"changed": sorted(body.model_fields_set)}
            await audit.add(
                db, actor=call.caller, action="recipient.change", subject=before.id, detail=changed
            )
            return _out(call, await _existing(db, before.id))
    except ExternalIdTakenError:
        raise _taken() from None


@api.op("DELETE", "/v1/recipients/{recipient_id}", may=Act.WRITE_PEOPLE, status=204)
async def delete_recipient(call: Call, *, path: RecipientPath) -> None:
    """Take somebody out of reach and out of all lists. Past alerts keep their own copy."""
    async with call.ledger.write() as db:
        if not await recipients.remove(db, path.recipient_id, to_micros(call.now())):
            raise missing("recipient")
        await audit.add(
            db, actor=call.caller, action="recipient.delete", subject=path.recipient_id, detail={}
        )


def _checked(call: Call, given: Sequence[PointIn]) -> tuple[tuple[Point, ...], list[Fault]]:
    """Return contact points in normal form, and what is wrong with the others."""
    channels = known_channels(call)
    points: list[Point] = []
    faults: list[Fault] = []
    for place, point in enumerate(given):
        address = normal_address(channels, point.channel, point.address)
        where = f"contact_points/{place}"
        if isinstance(address, Wrong):
            part = "address" if point.channel in channels else "channel"
            faults.append(address.at(f"{where}/{part}"))
        elif (point.channel, address) in points:
            faults.append(Wrong("It is in the list already.", "Take one out.").at(where))
        else:
            points.append((point.channel, address))
    return tuple(points), faults


async def _group_ids(db: Db, names: Sequence[str], faults: Sequence[Fault]) -> frozenset[GroupId]:
    """Return the groups' ids; raise the 422 if any is unknown or `faults` were found before."""
    there = await groups.ids_of(db, names)
    all_faults = [
        *faults,
        *(
            unknown_group(name).at(f"groups/{place}")
            for place, name in enumerate(names)
            if name not in there
        ),
        *(
            Wrong(f"{name} is in the list twice.", "Keep one.").at("groups")
            for name, times in Counter(names).items()
            if times > 1
        ),
    ]
    if all_faults:
        raise invalid(all_faults)
    return frozenset(there.values())


async def _existing(db: Db, recipient_id: str, *, lock: bool = False) -> Recipient:
    found = await recipients.get(db, recipient_id, lock=lock)
    if found is None:
        raise missing("recipient")
    return found


def _taken() -> ProblemError:
    return ProblemError(
        409,
        "Somebody else has this external_id.",
        fix="Find them with GET /v1/recipients?external_id=…, and change them instead.",
    )


def _out(call: Call, one: Recipient) -> RecipientOut:
    return RecipientOut(
        id=one.id,
        name=one.name,
        locale=one.locale,
        external_id=one.external_id,
        note=one.note,
        contact_points=[_point(call, point) for point in one.contact_points],
        groups=list(one.groups),
        created_at=to_datetime(one.created_at),
        updated_at=to_datetime(one.updated_at),
    )


def _point(call: Call, point: ContactPoint) -> PointOut:
    is_signed = point.channel == "webhook" and call.extent is Extent.ALL
    return PointOut(
        id=point.id,
        channel=point.channel,
        address=call.shown(point.address),
        disabled=point.disabled_reason,
        signing_secret=signing_secret(call.house.keyring, point.address) if is_signed else None,
    )
