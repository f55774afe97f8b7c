"""`/v1/groups`: people who are told together."""

from pydantic import Field

from kentongan.access import Act
from kentongan.clock import to_datetime, to_micros
from kentongan.recipient import Group
from ledger import audit, groups
from ledger.engine import Db
from ledger.groups import GroupNameTakenError
from service.calls import Call
from service.people import GroupIdText, GroupName, RecipientIdText, Title, Wrong
from service.web.bodies import Body, Instant, Out, Path, Query
from service.web.openapi import Api
from service.web.problems import ProblemError, invalid, missing

api = Api("groups")

#: Ids in one request, which is one transaction.
MOST_MEMBERS = 5000


class GroupPath(Path):
    group_id: GroupIdText


class MemberPath(Path):
    group_id: GroupIdText
    recipient_id: RecipientIdText


class GroupsQuery(Query):
    name: GroupName | None = None
    limit: int = Field(100, ge=1, le=500)
    cursor: str = Field("", max_length=100, description="`next` of the page before.")


class NewGroup(Body):
    name: GroupName
    title: Title = Field("", description="What people read; empty: the name.")


class GroupChange(Body):
    """What is left out stays as it is."""

    name: GroupName = Field(default_factory=str)
    title: Title = ""


class Members(Body):
    recipients: list[RecipientIdText] = Field(max_length=MOST_MEMBERS)


class GroupOut(Out):
    id: str
    name: str
    title: str
    members: int = Field(description="How many are in it: GET /v1/recipients?group=… lists them.")
    created_at: Instant


class GroupPage(Out):
    groups: list[GroupOut]
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


@api.op("POST", "/v1/groups", may=Act.WRITE_PEOPLE, status=201, errors=(409,))
async def create_group(call: Call, *, body: NewGroup) -> GroupOut:
    """Make an empty group."""
    async with call.ledger.write() as db:
        made = await groups.add(
            db, name=body.name, title=body.title or body.name, now=to_micros(call.now())
        )
        if made is None:
            raise _taken()
        await _note(db, call, "group.create", made, {"name": made.name})
    return _out(made)


@api.op("GET", "/v1/groups", may=Act.READ_PEOPLE)
async def list_groups(call: Call, *, query: GroupsQuery) -> GroupPage:
    """List groups by name."""
    async with call.ledger.read() as db:
        found = await groups.page(db, name=query.name, after=query.cursor, limit=query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > query.limit
    return GroupPage(groups=[_out(group) for group in shown], next=shown[-1].name if more else None)


@api.op("GET", "/v1/groups/{group_id}", may=Act.READ_PEOPLE)
async def read_group(call: Call, *, path: GroupPath) -> GroupOut:
    """Read a group's names and how many are in it."""
    async with call.ledger.read() as db:
        return _out(await _existing(db, path.group_id))


@api.op("PATCH", "/v1/groups/{group_id}", may=Act.WRITE_PEOPLE, errors=(409,))
async def change_group(call: Call, *, path: GroupPath, body: GroupChange) -> GroupOut:
    """Rename a group. Alerts that are scheduled for it follow; callers must use the new name."""
    given = body.model_fields_set
    try:
        async with call.ledger.write() as db:
            changed = await groups.change(
                db,
                path.group_id,
                name=body.name if "name" in given else None,
                title=body.title if "title" in given else None,
            )
            if changed is None:
                raise missing("group")
            await _note(db, call, "group.change", changed, {"name": changed.name})
    except GroupNameTakenError:
        raise _taken() from None
    return _out(changed)


@api.op("DELETE", "/v1/groups/{group_id}", may=Act.WRITE_PEOPLE, status=204, errors=(409,))
async def delete_group(call: Call, *, path: GroupPath) -> None:
    """Delete a group; its people stay. Refused while an alert still has to be expanded over it."""
    async with call.ledger.write() as db:
        group = await _existing(db, path.group_id)
        if waiting := await groups.awaited_by(db, group.id):
            raise ProblemError(
                409,
                f"Alert {waiting} is still to be sent to this group.",
                fix="Stop that alert, or delete the group once it has been sent.",
            )
        await groups.remove(db, group.id)
        await _note(db, call, "group.delete", group, {"name": group.name})


@api.op("PUT", "/v1/groups/{group_id}/members", may=Act.WRITE_PEOPLE)
async def set_members(call: Call, *, path: GroupPath, body: Members) -> GroupOut:
    """Make these the people of the group, and no others."""
    async with call.ledger.write() as db:
        group = await _existing(db, path.group_id)
        await _refuse_strangers(db, body)
        await groups.set_members(db, group.id, body.recipients)
        after = await _existing(db, path.group_id)
        await _note(db, call, "group.members", group, {"members": after.members})
    return _out(after)


@api.op("POST", "/v1/groups/{group_id}/members", may=Act.WRITE_PEOPLE)
async def add_members(call: Call, *, path: GroupPath, body: Members) -> GroupOut:
    """Put people into the group; who is in it stays."""
    async with call.ledger.write() as db:
        group = await _existing(db, path.group_id)
        await _refuse_strangers(db, body)
        await groups.add_members(db, group.id, body.recipients)
        after = await _existing(db, path.group_id)
        await _note(db, call, "group.members", group, {"members": after.members})
    return _out(after)


@api.op("DELETE", "/v1/groups/{group_id}/members/{recipient_id}", may=Act.WRITE_PEOPLE, status=204)
async def remove_member(call: Call, *, path: MemberPath) -> None:
    """Take somebody out of the group."""
    async with call.ledger.write() as db:
        group = await _existing(db, path.group_id)
        if not await groups.remove_member(db, group.id, path.recipient_id):
            raise missing("member")
        await _note(db, call, "group.members", group, {"removed": path.recipient_id})


async def _existing(db: Db, group_id: str) -> Group:
    group = await groups.get(db, group_id)
    if group is None:
        raise missing("group")
    return group


async def _refuse_strangers(db: Db, body: Members) -> None:
    unknown = set(await groups.strangers(db, body.recipients))
    wrong = Wrong("There is no such recipient.", "Take it out, or make them first.")
    places = [place for place, one in enumerate(body.recipients) if one in unknown]
    if places:
        raise invalid([wrong.at(f"recipients/{place}") for place in places[:100]])


async def _note(
    db: Db, call: Call, action: str, group: Group, detail: dict[str, str | int]
) -> None:
    await audit.add(db, actor=call.caller, action=action, subject=group.id, detail=detail)


def _taken() -> ProblemError:
    return ProblemError(409, "There is a group of this name.", fix="Choose another name.")


def _out(group: Group) -> GroupOut:
    return GroupOut(
        id=group.id,
        name=group.name,
        title=group.title or group.name,
        members=group.members,
        created_at=to_datetime(group.created_at),
    )
