"""`/v1/alerts`: say something to many people, see who was reached, stop."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from kentongan.access import Act, Extent
from kentongan.alert import AlertState, Control, Mode
from kentongan.clock import to_micros
from kentongan.delivery import Cause, PersonState, State
from ledger import alert_people, alerts, audit, overviews
from ledger.alert_people import Person
from ledger.engine import Db
from ledger.overviews import Overview
from service.accepting.commit import Accepted, commit, commit_with_others
from service.accepting.draft import Draft, draft_of
from service.accepting.rehearsal import DryRun, rehearse
from service.api.alert_bodies import NewAlert, ResponseText
from service.api.alert_paths import AlertPath, seen, whole
from service.api.alert_views import AlertOut, AlertPage, alert_out, summary_of
from service.calls import Call
from service.idempotency import once
from service.web.bodies import Idempotent, Instant, Out, Query, id_pattern
from service.web.openapi import Api, Reply
from service.web.problems import ProblemError

api = Api("alerts")


class AcceptQuery(Query):
    dry_run: bool = Field(
        default=False, description="Tell what would happen; nothing is stored, nobody is told."
    )


class AlertsQuery(Query):
    mode: Mode | None = None
    state: AlertState | None = None
    since: Instant | None = Field(None, description="Accepted at this instant or later.")
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, Field(pattern=id_pattern("alr_"))] | None = Field(
        None, description="`next` of the page before."
    )


class PeopleQuery(Query):
    state: list[PersonState] = Field(default_factory=list, max_length=len(PersonState))
    response: list[ResponseText] = Field(
        default_factory=list,
        max_length=10,
        description="The key of the option that was their first answer, by any of their "
        "deliveries; empty for bare acknowledgements.",
    )
    q: str = Field("", max_length=100, description="How their name begins, in any spelling.")
    limit: int = Field(100, ge=1, le=500)
    cursor: Annotated[str, Field(pattern=id_pattern("per_"))] | None = Field(
        None, description="`next` of the page before."
    )


class WayOut(Out):
    """One delivery by which somebody was to be told."""

    delivery: str
    channel: str
    state: State
    reason: str | None = Field(description="Why it failed, was never sent, or waits.")


class PersonOut(Out):
    id: str
    recipient: str | None = Field(description="Null for a contact point that was written out.")
    name: str = Field(description="As it was when the alert was expanded.")
    locale: str
    state: PersonState
    cause: Cause | None = Field(description="Why there is no delivery for them.")
    response: str | None = Field(
        description="The option of their first answer, which is the one that counts; empty for a "
        "bare acknowledgement, null without any."
    )
    reason: str | None = Field(
        description="Why they were not reached, where they were not: the reason of a delivery "
        "that failed, else of one that was never sent. Null in every other state."
    )
    deliveries: list[WayOut]


class PeoplePage(Out):
    people: list[PersonOut]
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


@api.op(
    "POST",
    "/v1/alerts",
    may=Act.MAKE_ALERT,
    gives={202: Accepted, 200: DryRun},
    errors=(409,),
    in_turn=True,
)
async def accept_alert(
    call: Call, *, query: AcceptQuery, headers: Idempotent, body: NewAlert
) -> web.Response:
    """Tell people something. 202 means that it is committed and will be sent.

    A mode of `actual` needs an Idempotency-Key. With `dry_run=true` the answer is a 200 that tells
    whom it would reach, in which words, and what to look at again. All that is wrong with a request
    is told at once.
    """
    if query.dry_run:
        return Reply(await rehearse(call, await draft_of(call, body))).response()
    key = headers.idempotency_key
    if key is None and body.mode is Mode.ACTUAL:
        raise ProblemError(
            400,
            "An actual alert needs an Idempotency-Key, so that a repeat does not alert twice.",
            fix="Send the header Idempotency-Key with any text of your own, new for each alert.",
            kind="idempotency-key-missing",
        )
    draft = await _draft_or_refusal(call, body)
    if isinstance(draft, Draft) and (answer := await commit_with_others(call, draft, key)):
        await _announce(call, draft)
        return answer

    async def work(db: Db) -> Reply:
        if isinstance(draft, ProblemError):
            raise draft
        return Reply(await commit(call, db, draft), status=202)

    done = await once(call, key, work)
    if done.is_first and isinstance(draft, Draft):
        await _announce(call, draft)
    return done.response


async def _draft_or_refusal(call: Call, body: NewAlert) -> Draft | ProblemError:
    """Keep a refusal for later: a repeat is answered as its first was, whatever changed since."""
    try:
        return await draft_of(call, body)
    except ProblemError as refusal:
        return refusal


async def _announce(call: Call, draft: Draft) -> None:
    """Ring, and count; the alert is committed, so nothing here may fail it."""
    alert, metrics = draft.alert, call.house.metrics
    origin = "api" if call.extent is not Extent.OWN else "integration"
    metrics.alerts.labels(alert.mode, alert.type, origin).inc()
    if draft.people is not None:
        metrics.alert_people.observe(draft.people)
    if alert.send_at is None:
        await call.queue.ring_alert(alert.id, alert.lane)


@api.op("GET", "/v1/alerts", may=Act.READ_ALERT)
async def list_alerts(call: Call, *, query: AlertsQuery) -> AlertPage:
    """List alerts, the latest first, each with its last count."""
    async with call.ledger.read() as db:
        found = await overviews.page(
            db,
            made_by=call.caller if call.extent is Extent.OWN else None,
            mode=query.mode,
            state=query.state,
            since=to_micros(query.since) if query.since else None,
            before=query.cursor,
            limit=query.limit + 1,
        )
    shown = found[: query.limit]
    more = len(found) > query.limit
    return AlertPage(alerts=[summary_of(one) for one in shown], next=shown[-1].id if more else None)


@api.op("GET", "/v1/alerts/{alert_id}", may=Act.READ_ALERT)
async def read_alert(call: Call, *, path: AlertPath) -> AlertOut:
    """Read an alert: its state, its words, and what became of it so far."""
    return await _read(call, path.alert_id)


async def _read(call: Call, alert_id: str) -> AlertOut:
    async with call.ledger.read() as db:
        standing, alert = await whole(call, db, alert_id)
    counted = await call.house.counting.counted(call.ledger, standing)
    return alert_out(standing, alert, counted)


@api.op("GET", "/v1/alerts/{alert_id}/people", may=Act.READ_ALERT)
async def list_people(call: Call, *, path: AlertPath, query: PeopleQuery) -> PeoplePage:
    """List the people of an alert, each in their best state."""
    async with call.ledger.read() as db:
        standing = await seen(call, db, path.alert_id)
        found = await alert_people.page(
            db,
            path.alert_id,
            states=query.state,
            responses=query.response,
            prefix=query.q,
            waiting_shows=standing.waiting_shows,
            after=query.cursor or "",
            limit=query.limit + 1,
        )
    shown = found[: query.limit]
    more = len(found) > query.limit
    return PeoplePage(people=[_person(one) for one in shown], next=shown[-1].id if more else None)


def _person(one: Person) -> PersonOut:
    return PersonOut(
        id=one.id,
        recipient=one.recipient_id,
        name=one.name,
        locale=one.locale,
        state=one.state,
        cause=one.cause,
        response=one.response,
        reason=one.reason,
        deliveries=[
            WayOut(
                delivery=way.delivery_id, channel=way.channel, state=way.state, reason=way.reason
            )
            for way in one.ways
        ],
    )


@api.op("POST", "/v1/alerts/{alert_id}/stop", may=Act.MAKE_ALERT, errors=(409,))
async def stop_alert(call: Call, *, path: AlertPath) -> AlertOut:
    """Stop sending, for good; nothing more is begun once this is answered. It tells nobody.

    To tell those who may have got it, send a cancel. Stopping what is stopped changes nothing.
    """
    return await _order(call, path.alert_id, Control.STOPPED)


@api.op("POST", "/v1/alerts/{alert_id}/pause", may=Act.MAKE_ALERT, errors=(409,))
async def pause_alert(call: Call, *, path: AlertPath) -> AlertOut:
    """Stop sending until it is resumed; it expires all the same. It tells nobody."""
    return await _order(call, path.alert_id, Control.PAUSED)


@api.op("POST", "/v1/alerts/{alert_id}/resume", may=Act.MAKE_ALERT, errors=(409,))
async def resume_alert(call: Call, *, path: AlertPath) -> AlertOut:
    """Go on sending what was paused."""
    return await _order(call, path.alert_id, Control.ACTIVE)


_ACTION = {
    Control.STOPPED: "alert.stop",
    Control.PAUSED: "alert.pause",
    Control.ACTIVE: "alert.resume",
}
_OVER = frozenset({AlertState.STOPPED, AlertState.EXPIRED, AlertState.ENDED})


async def _order(call: Call, alert_id: str, control: Control) -> AlertOut:
    """Give an order; one that is obeyed already is no conflict, so that it can be repeated."""
    async with call.ledger.write() as db:
        standing = await seen(call, db, alert_id)
        if standing.state in _OVER and standing.control is not control:
            raise _too_late(standing)
        if await alerts.set_control(db, alert_id, control, by=call.caller, now=standing.now):
            await audit.add(db, actor=call.caller, action=_ACTION[control], subject=alert_id)
    if control is Control.ACTIVE:
        await call.queue.ring_alert(alert_id, standing.lane)
    return await _read(call, alert_id)


def _too_late(standing: Overview) -> ProblemError:
    return ProblemError(
        409,
        f"The alert is {standing.state}; nothing of it is sent any more.",
        fix="To tell those who may have got it, send a cancel; to say it again, a new alert.",
        kind="alert-over",
    )
