"""`/v1/dead-letters`: what was given up, why, and trying it again."""

from typing import Self

from aiohttp import web
from pydantic import Field, model_validator

from kentongan.access import Act, Extent
from kentongan.clock import to_datetime
from ledger import audit, dead_letters
from ledger.dead_letters import DeadLetter, Hindrance, SetAside, Which
from ledger.engine import Db
from service.api.alert_bodies import AlertIdText, ChannelName
from service.api.deliveries import DeliveryIdText, ReasonText
from service.api.delivery_views import DeliveryOut, delivery_fields
from service.calls import Call
from service.idempotency import once
from service.web.bodies import Body, Idempotent, Instant, Out, Query
from service.web.openapi import Api, Reply
from service.web.problems import fault

api = Api("dead letters")

#: Deliveries that one request tries again.
MOST = 500


class DeadLettersQuery(Query):
    alert: AlertIdText | None = None
    channel: list[ChannelName] = Field(default_factory=list, max_length=20)
    reason: list[ReasonText] = Field(default_factory=list, max_length=20)
    limit: int = Field(100, ge=1, le=500)
    cursor: DeliveryIdText | None = Field(None, description="`next` of the page before.")


class DeadLetterOut(DeliveryOut):
    """A delivery that was given up."""

    alert: str
    hindrance: Hindrance | None = Field(
        description="Why a replay leaves it; `may_have_got` only unless that is asked for."
    )


class SetAsideOut(Out):
    """An alert whose people were not all found, since looking for them killed workers."""

    alert: str
    at: Instant
    hindrance: Hindrance | None


class DeadLetterPage(Out):
    dead_letters: list[DeadLetterOut]
    alerts: list[SetAsideOut] = Field(description="Expansions set aside; on the first page.")
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


class Replay(Body):
    """Which dead letters are tried again: all that fit everything that is given."""

    deliveries: list[DeliveryIdText] = Field(default_factory=list, max_length=MOST)
    alert: AlertIdText | None = Field(
        None, description="Alone, it also begins an expansion again that was set aside."
    )
    channel: list[ChannelName] = Field(default_factory=list, max_length=20)
    reason: list[ReasonText] = Field(default_factory=list, max_length=20)
    even_if_got: bool = Field(
        default=False,
        description="Also those who may have got it, and then may get it twice.",
    )

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not (self.deliveries or self.alert or self.channel or self.reason):
            raise fault("It names no dead letter.", "Give deliveries, alert, channel or reason.")
        return self


class ReplayedOut(Out):
    """What a replay began."""

    replayed: int = Field(description="Deliveries that are tried again now.")
    alerts: list[str] = Field(description="Alerts whose expansion begins again.")
    left: dict[Hindrance, int] = Field(
        description="What fits and is left, by why: counted no further than 10,000."
    )
    more: bool = Field(description=f"It takes {MOST} at once, and there are more: ask again.")


@api.op("GET", "/v1/dead-letters", may=Act.READ_ALERT)
async def list_dead_letters(call: Call, *, query: DeadLettersQuery) -> DeadLetterPage:
    """List deliveries that were given up and might be tried again, the latest first.

    Left out are those that no try of ours can mend: invalid addresses, people who opted out.
    """
    which = Which(
        alert=query.alert,
        channels=query.channel,
        reasons=query.reason,
        made_by=call.caller if call.extent is Extent.OWN else None,
    )
    async with call.ledger.read() as db:
        found = await dead_letters.page(db, which, before=query.cursor, limit=query.limit + 1)
        aside = [] if query.cursor else await dead_letters.set_aside(db, which)
    shown = found[: query.limit]
    return DeadLetterPage(
        dead_letters=[_out(call, one) for one in shown],
        alerts=[_aside_out(one) for one in aside],
        next=shown[-1].delivery.id if len(found) > query.limit else None,
    )


@api.op(
    "POST",
    "/v1/dead-letters/replay",
    may=Act.REPLAY,
    gives={200: ReplayedOut},
    errors=(409,),
)
async def replay_dead_letters(call: Call, *, headers: Idempotent, body: Replay) -> web.Response:
    """Try dead letters again, by their ids or by a filter, as if they had never been tried.

    Nothing goes out of an alert that was stopped or expired, nothing to whom is suppressed, and
    nothing to those who may have got it unless `even_if_got` asks for that. What was replayed is no
    dead letter any more, so a repeat of this request changes nothing.
    """
    which = Which(ids=body.deliveries, alert=body.alert, channels=body.channel, reasons=body.reason)

    async def work(db: Db) -> Reply:
        done = await dead_letters.replay(db, which, even_if_got=body.even_if_got, limit=MOST)
        begun = await dead_letters.start_again(db, which) if body.alert else []
        for alert_id in sorted({*done.by_alert, *begun}):
            await audit.add(
                db,
                actor=call.caller,
                action="delivery.replay",
                subject=alert_id,
                detail={
                    "deliveries": done.by_alert.get(alert_id, 0),
                    "expansion": alert_id in begun,
                    "even_if_got": body.even_if_got,
                },
            )
        told = ReplayedOut(
            replayed=sum(done.by_alert.values()), alerts=begun, left=done.left, more=done.more
        )
        return Reply(told)

    return (await once(call, headers.idempotency_key, work)).response


def _out(call: Call, one: DeadLetter) -> DeadLetterOut:
    return DeadLetterOut(
        **delivery_fields(call, one.delivery),
        alert=one.delivery.alert_id,
        hindrance=one.hindrance,
    )


def _aside_out(one: SetAside) -> SetAsideOut:
    return SetAsideOut(alert=one.alert_id, at=to_datetime(one.at), hindrance=one.hindrance)
