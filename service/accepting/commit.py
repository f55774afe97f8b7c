"""The transaction behind a 202: the alert, its audit row, and for a correction the stop before."""

from aiohttp import web
from pydantic import Field

from kentongan.access import Extent
from kentongan.alert import Alert, AlertState, Control
from kentongan.clock import seconds
from ledger import alerts, audit, ceilings
from ledger.audit import Deed
from ledger.corrections import never_told
from ledger.engine import Db, read_now
from ledger.idempotency import Claim
from service.accept_group import Entry
from service.accepting.draft import Draft
from service.calls import Call
from service.idempotency import fingerprint_of
from service.web.bodies import Out
from service.web.openapi import Reply
from service.web.problems import ProblemError

#: What is told where waiting does not help by itself: the whole of the window.
_HOUR = 3600

#: A correction is expanded once nothing of its original is open, and no later than this. What is
#: open then may have got it.
LATEST_EXPANSION = seconds(12)


class Links(Out):
    """Where to look further."""

    self: str
    deliveries: str
    people: str


class Accepted(Out):
    """The alert is committed; what becomes of it is told under its links."""

    id: str
    state: AlertState
    people: int | None = Field(
        description="How many it is for now; null for a correction, and above 10,000."
    )
    never_told: int | None = Field(
        description="For a correction: people who will get neither the original nor this. Null "
        "above 10,000, and for what is no correction."
    )
    links: Links


async def commit_with_others(call: Call, draft: Draft, key: str | None) -> web.Response | None:
    """Commit `draft` together with what is accepted at the same time, and return its 202.

    None: nothing was done, for it may have to wait; `commit` does it.
    """
    bounded = call.extent is Extent.OWN and call.access.key.people_per_hour is not None
    if draft.original is not None or bounded:
        return None
    response = Reply(_accepted(draft, untold=None), status=202).response()
    claim = None
    if key is not None:
        claim = Claim(
            caller=call.caller,
            key=key,
            fingerprint=await fingerprint_of(call.request),
            status=response.status,
            answer=response.text or "",
        )
    entry = Entry(alert=draft.alert, deed=_deed(call, draft), claim=claim)
    return response if await call.house.accept_group.join(call.ledger, entry) else None


async def commit(call: Call, db: Db, draft: Draft) -> Accepted:
    """Write `draft` down. The original of a correction is stopped first, then counted."""
    alert, original = draft.alert, draft.original
    now = await read_now(db)
    untold = None
    if original is not None:
        await _stop(call, db, original, now)
        untold = await never_told(db, original)
    elif call.extent is Extent.OWN:
        await _refuse_above_ceiling(call, db, draft.people)
    await alerts.add(db, alert, expand_at=_expand_at(draft, now))
    await audit.add_many(db, [_deed(call, draft)], now)
    return _accepted(draft, untold)


def _deed(call: Call, draft: Draft) -> Deed:
    alert = draft.alert
    return Deed(
        actor=call.caller,
        action=ceilings.ACCEPTED,
        subject=alert.id,
        detail={
            "mode": alert.mode,
            "type": alert.type,
            "lane": alert.lane,
            "people": draft.people,
            "corrects": alert.corrects,
        },
    )


def _accepted(draft: Draft, untold: int | None) -> Accepted:
    alert = draft.alert
    return Accepted(
        id=alert.id,
        state=AlertState.EXPANDING if alert.send_at is None else AlertState.SCHEDULED,
        people=draft.people,
        never_told=untold,
        links=links_of(alert.id),
    )


def links_of(alert_id: str) -> Links:
    """Return where an alert, its deliveries and its people are read."""
    at = f"/v1/alerts/{alert_id}"
    return Links(self=at, deliveries=f"{at}/deliveries", people=f"{at}/people")


async def _stop(call: Call, db: Db, original: Alert, now: int) -> None:
    """Stop what is corrected; it may be stopped, or over, already."""
    if await alerts.set_control(db, original.id, Control.STOPPED, by=call.caller, now=now):
        await audit.add(db, actor=call.caller, action="alert.stop", subject=original.id)


def _expand_at(draft: Draft, now: int) -> int:
    if draft.original is not None:
        return now + LATEST_EXPANSION
    return draft.alert.send_at or now


async def _refuse_above_ceiling(call: Call, db: Db, people: int | None) -> None:
    ceiling = call.access.key.people_per_hour
    if ceiling is None:
        return
    before = await ceilings.last_hour(db, call.caller)
    wait = None if people is None else before.wait(people, ceiling)
    if wait == 0:
        return
    raise ProblemError(
        429,
        f"This key may alert {ceiling:,} people an hour; {before.people:,} were alerted already.",
        fix=f"Send it to fewer{', wait,' if wait else ''} or have an officer send it.",
        kind="ceiling",
        headers={"Retry-After": str(wait or _HOUR)},
    )
