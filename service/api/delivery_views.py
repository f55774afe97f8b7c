"""How deliveries look in answers, to those who may see addresses and to those who may not."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from kentongan.access import Extent
from kentongan.clock import to_datetime
from kentongan.delivery import State
from kentongan.logs import redacted
from kentongan.receipt import ReceiptKind
from ledger.deliveries import Shown
from ledger.delivery_story import Story, Try
from service.viewers import Viewer
from service.web.bodies import Instant, Out


class ToldOut(Out):
    """One whom it is for."""

    person: str
    recipient: str | None = Field(description="Null for a contact point that was written out.")
    name: str


class DeliveryOut(Out):
    """One message to one contact point; it counts for all who share that."""

    id: str
    channel: str
    address: str | None = Field(
        description="Masked for auditors; null for integrations, which see none."
    )
    locale: str
    state: State
    receipt: ReceiptKind = Field(description="The best that its provider said.")
    response: str | None = Field(description="The option chosen; empty for a bare acknowledgement.")
    reason: str | None = Field(description="Why it did not get through, or waits.")
    attempts: int
    units: int
    due_at: Instant | None = Field(description="When it is tried again.")
    settled_at: Instant | None
    people: list[ToldOut]


class DeliveryPage(Out):
    deliveries: list[DeliveryOut]
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


class AttemptOut(Out):
    """One try. Our words, and beside them the provider's own."""

    no: int
    provider: str = Field(description="Who took it, as the settings call it.")
    sender: str
    opened_at: Instant
    outcome: str | None = Field(description="What the provider answered at once.")
    outcome_at: Instant | None
    reason: str | None
    detail: str | None = Field(description="The provider's words about the outcome.")
    provider_id: str | None
    resolution: str | None = Field(description="What became of an unknown outcome.")
    resolution_by: str | None
    resolution_at: Instant | None
    receipt: ReceiptKind = Field(description="The best that the provider said later.")
    receipt_at: Instant | None
    receipt_word: str | None = Field(description="As the provider calls it.")
    receipt_code: str | None
    conflict: bool = Field(description="It was said to have failed and to have arrived.")


class ResponseOut(Out):
    """What the person answered; the first counts, later ones are kept."""

    at: Instant
    option: str
    via: str
    first: bool


class Moment(Out):
    """One thing that happened."""

    at: Instant
    what: Literal["opened", "outcome", "resolution", "report", "response", "message"]
    attempt: int | None
    word: str = Field(description="In our words: the outcome, the kind of report, the option.")
    reason: str | None = None
    by: str | None = Field(None, description="Who decided, or the way it came.")
    verdict: str | None = Field(None, description="What became of a report; null while it waits.")
    raw: dict[str, Any] | None = Field(
        None, description="What the provider sent, as it was sent. Only for who sees addresses."
    )


class WholeDelivery(DeliveryOut):
    """A delivery with everything that is known of it."""

    alert: str
    tries: list[AttemptOut]
    responses: list[ResponseOut]
    timeline: list[Moment] = Field(description="All of it in the order of time.")


def delivery_out(viewer: Viewer, one: Shown) -> DeliveryOut:
    """Return a delivery as this viewer may see it."""
    return DeliveryOut(**delivery_fields(viewer, one))


def whole_delivery(viewer: Viewer, one: Shown, story: Story) -> WholeDelivery:
    """Return everything about a delivery that this viewer may see."""
    return WholeDelivery(
        **delivery_fields(viewer, one),
        alert=one.alert_id,
        tries=[_attempt(viewer, one.address, each) for each in story.tries],
        responses=[
            ResponseOut(at=to_datetime(r.at), option=r.option, via=r.via, first=r.first)
            for r in story.answered
        ],
        timeline=sorted(_moments(viewer, story), key=lambda moment: moment.at),
    )


def delivery_fields(viewer: Viewer, one: Shown) -> dict[str, Any]:
    """Return the fields of a `DeliveryOut`, for what has more than those."""
    return {
        "id": one.id,
        "channel": one.channel,
        "address": viewer.shown(one.address),
        "locale": one.locale,
        "state": one.state,
        "receipt": one.receipt,
        "response": one.response,
        "reason": one.reason,
        "attempts": one.attempts,
        "units": one.units,
        "due_at": _instant(one.due_at),
        "settled_at": _instant(one.settled_at),
        "people": [
            ToldOut(person=told.person_id, recipient=told.recipient_id, name=told.name)
            for told in one.people
        ],
    }


def _instant(micros: int | None) -> Instant | None:
    return None if micros is None else to_datetime(micros)


def _attempt(viewer: Viewer, address: str, one: Try) -> AttemptOut:
    return AttemptOut(
        no=one.no,
        provider=one.provider,
        sender=one.sender,
        opened_at=to_datetime(one.opened_at),
        outcome=one.outcome,
        outcome_at=_instant(one.outcome_at),
        reason=one.reason,
        detail=_without(viewer, address, one.detail),
        provider_id=one.provider_id,
        resolution=one.resolution,
        resolution_by=one.resolution_by,
        resolution_at=_instant(one.resolution_at),
        receipt=one.receipt,
        receipt_at=_instant(one.receipt_at),
        receipt_word=_without(viewer, address, one.word),
        receipt_code=one.code,
        conflict=one.conflict,
    )


def _without(viewer: Viewer, address: str, words: str | None) -> str | None:
    """Providers like to repeat the address that they refuse, and the one that it leads on to."""
    if words is None or viewer.extent is Extent.ALL:
        return words
    return redacted(without(address, viewer.shown(address) or "…", words))


def without(address: str, shown: str, words: str) -> str:
    """Return words with `shown` wherever an address stands in them, as its owner writes it."""
    own = rf"\+?{re.escape(address.removeprefix('+'))}"
    return re.sub(own, lambda _: shown, words, flags=re.IGNORECASE)


def _moments(viewer: Viewer, story: Story) -> Iterator[Moment]:
    for one in story.tries:
        yield from _of_attempt(one)
    for said in story.said:
        yield Moment(
            at=to_datetime(said.at),
            what="report",
            attempt=said.no,
            word=said.kind,
            verdict=said.verdict,
            raw=_raw(viewer, said.payload),
        )
    for answer in story.answered:
        yield Moment(
            at=to_datetime(answer.at),
            what="response",
            attempt=None,
            word=answer.option,
            by=answer.via,
        )
    for wrote in story.wrote:
        yield Moment(
            at=to_datetime(wrote.at),
            what="message",
            attempt=None,
            word=wrote.meaning,
            raw=_raw(viewer, {"body": wrote.body}),
        )


def _of_attempt(one: Try) -> Iterator[Moment]:
    yield Moment(at=to_datetime(one.opened_at), what="opened", attempt=one.no, word="opened")
    if one.outcome is not None and one.outcome_at is not None:
        yield Moment(
            at=to_datetime(one.outcome_at),
            what="outcome",
            attempt=one.no,
            word=one.outcome,
            reason=one.reason,
        )
    if one.resolution is not None and one.resolution_at is not None:
        yield Moment(
            at=to_datetime(one.resolution_at),
            what="resolution",
            attempt=one.no,
            word=one.resolution,
            by=one.resolution_by,
        )


def _raw(viewer: Viewer, payload: Mapping[str, Any]) -> dict[str, Any] | None:
    return dict(payload) if viewer.extent is Extent.ALL else None
