"""`/v1/suppressions`: contact points that must not be written to, since somebody said so."""

from pydantic import Field

from kentongan.access import Act
from kentongan.clock import to_datetime, to_micros
from kentongan.recipient import Suppression
from ledger import audit, suppressions
from service.calls import Call
from service.people import (
    Address,
    ChannelName,
    Why,
    Wrong,
    known_channels,
    normal_address,
)
from service.web.bodies import Body, Instant, Out, Path, Query, id_pattern
from service.web.openapi import Api, Reply
from service.web.problems import ProblemError, invalid, missing

api = Api("suppressions")


class SuppressionPath(Path):
    suppression_id: str = Field(pattern=id_pattern("sup_"))


class SuppressionsQuery(Query):
    channel: ChannelName | None = None
    address: Address | None = None
    in_force: bool | None = Field(None, description="Only those that hold, or only lifted ones.")
    limit: int = Field(100, ge=1, le=500)
    cursor: str = Field("", max_length=64, description="`next` of the page before.")


class NewSuppression(Body):
    channel: ChannelName
    address: Address
    reason: Why


class Lifting(Body):
    reason: Why


class SuppressionOut(Out):
    id: str
    channel: str
    address: str | None
    reason: str
    made_by: str = Field(description="A key, `recipient` (they said STOP), or `provider`.")
    made_at: Instant
    in_force: bool
    lifted_at: Instant | None
    lifted_by: str | None
    lifted_reason: str | None


class SuppressionPage(Out):
    suppressions: list[SuppressionOut]
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


@api.op(
    "POST",
    "/v1/suppressions",
    may=Act.WRITE_PEOPLE,
    gives={201: SuppressionOut, 200: SuppressionOut},
)
async def suppress(call: Call, *, body: NewSuppression) -> Reply:
    """Keep a contact point from being written to; 200 if it was kept from it before.

    What waits to be sent there ends as `suppressed`, whoever shares the address.
    """
    channels = known_channels(call)
    address = normal_address(channels, body.channel, body.address)
    if isinstance(address, Wrong):
        raise invalid([address.at("address" if body.channel in channels else "channel")])
    async with call.ledger.write() as db:
        done = await suppressions.suppress(
            db,
            body.channel,
            address,
            reason=body.reason,
            made_by=call.caller,
            now=to_micros(call.now()),
        )
        if done.is_new:
            await audit.add(
                db,
                actor=call.caller,
                action="suppression.create",
                subject=done.suppression.id,
                detail={"channel": body.channel, "ended": done.ended},
            )
    return Reply(_out(call, done.suppression), 201 if done.is_new else 200)


@api.op("GET", "/v1/suppressions", may=Act.READ_PEOPLE)
async def list_suppressions(call: Call, *, query: SuppressionsQuery) -> SuppressionPage:
    """List suppressions, the newest first, also those that were lifted."""
    async with call.ledger.read() as db:
        found = await suppressions.page(
            db,
            channel=query.channel,
            address=_as_kept(call, query),
            is_in_force=query.in_force,
            before=query.cursor or None,
            limit=query.limit + 1,
        )
    shown = found[: query.limit]
    more = len(found) > query.limit
    return SuppressionPage(
        suppressions=[_out(call, one) for one in shown], next=shown[-1].id if more else None
    )


@api.op("GET", "/v1/suppressions/{suppression_id}", may=Act.READ_PEOPLE)
async def read_suppression(call: Call, *, path: SuppressionPath) -> SuppressionOut:
    """Read who suppressed what, when and why."""
    async with call.ledger.read() as db:
        found = await suppressions.get(db, path.suppression_id)
    if found is None:
        raise missing("suppression")
    return _out(call, found)


@api.op("POST", "/v1/suppressions/{suppression_id}/lift", may=Act.WRITE_PEOPLE, errors=(409,))
async def lift_suppression(call: Call, *, path: SuppressionPath, body: Lifting) -> SuppressionOut:
    """Let a contact point be written to again. What ended stays ended."""
    async with call.ledger.write() as db:
        lifted = await suppressions.lift(
            db,
            path.suppression_id,
            reason=body.reason,
            by=call.caller,
            now=to_micros(call.now()),
        )
        if lifted is None:
            if await suppressions.get(db, path.suppression_id) is None:
                raise missing("suppression")
            raise ProblemError(
                409, "It is lifted already.", fix="GET it to see by whom, when and why."
            )
        await audit.add(
            db,
            actor=call.caller,
            action="suppression.lift",
            subject=lifted.id,
            detail={"channel": lifted.channel},
        )
    return _out(call, lifted)


def _as_kept(call: Call, query: SuppressionsQuery) -> str | None:
    """Return the address in the form that was kept, if its channel can say; else as it is."""
    if query.address is None or query.channel is None:
        return query.address
    address = normal_address(known_channels(call), query.channel, query.address)
    return query.address if isinstance(address, Wrong) else address


def _out(call: Call, one: Suppression) -> SuppressionOut:
    return SuppressionOut(
        id=one.id,
        channel=one.channel,
        address=call.shown(one.address),
        reason=one.reason,
        made_by=one.made_by,
        made_at=to_datetime(one.made_at),
        in_force=one.lifted_at is None,
        lifted_at=None if one.lifted_at is None else to_datetime(one.lifted_at),
        lifted_by=one.lifted_by,
        lifted_reason=one.lifted_reason,
    )
