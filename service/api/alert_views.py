"""How alerts look in answers."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field

from kentongan.alert import (
    Alert,
    AlertState,
    AlertType,
    Certainty,
    Control,
    Lane,
    Mode,
    Severity,
    Urgency,
)
from kentongan.audience import Who
from kentongan.clock import SECOND, to_datetime
from kentongan.delivery import Cause, PersonState, State
from ledger.counts import Counted
from ledger.overviews import Overview
from service.accepting.commit import Links, links_of
from service.web.bodies import Instant, Out


class ChannelCounts(Out):
    """Deliveries of one channel; the states add up to the total."""

    total: int
    states: dict[State, int] = Field(description="Only states that occur.")


class PeopleCounts(Out):
    """People, each in their best state; the states add up to the total."""

    total: int
    states: dict[PersonState, int] = Field(description="All states.")
    causes: dict[Cause, int] = Field(description="Why people have no delivery.")


class CountsOut(Out):
    """One count of everything; people and deliveries come from the same look."""

    counted_at: Instant
    age_seconds: float = Field(description="How old the count was when this was answered.")
    channels: dict[str, ChannelCounts]
    people: PeopleCounts
    answers: dict[str, int] = Field(
        description="People by the option that counts, which is their first answer; only options "
        "that somebody chose. The empty key has those who only acknowledged."
    )


class Maker(Out):
    """The key that asked for something."""

    id: str
    name: str | None


class Order(Out):
    """The last order about a running alert."""

    control: Control
    at: Instant
    by: str


class AlertSummary(Out):
    """An alert as lists show it."""

    id: str
    state: AlertState
    mode: Mode
    type: AlertType
    severity: Severity
    lane: Lane
    headline: dict[str, str] = Field(description="By locale, as written (drills not yet marked).")
    channels: list[str]
    references: list[str]
    corrects: str | None
    made_by: Maker
    source: str
    accepted_at: Instant
    send_at: Instant | None = Field(description="With the offset of its zone, where it has one.")
    zone: str | None = Field(description="The IANA time zone that `send_at` was asked for in.")
    expires_at: Instant
    expanded_at: Instant | None = Field(description="When all its people were found.")
    set_aside_at: Instant | None = Field(
        description="When we stopped to look for its people, since worker after worker died of it."
    )
    order: Order | None = Field(description="Who stopped, paused or resumed it last.")
    counts: CountsOut | None = Field(
        description="In lists the last count, null before the first; never older here than ten "
        "times what counting takes."
    )
    links: Links


class WordsOut(Out):
    """What it says in one locale."""

    headline: str
    text: str
    channel_text: dict[str, str]


class OptionOut(Out):
    key: str
    label: dict[str, str]


class OfOut(Out):
    alert: str
    who: Who


class AudienceOut(Out):
    """Whom it is for. Contact points and people are only counted here; see its deliveries."""

    groups: list[str]
    recipients: int
    points: int
    of: OfOut | None


class AlertOut(AlertSummary):
    """An alert whole."""

    urgency: Urgency
    certainty: Certainty
    category: list[str]
    words: dict[str, WordsOut]
    template: str | None
    options: list[OptionOut]
    audience: AudienceOut


class AlertPage(Out):
    alerts: list[AlertSummary]
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


def summary_of(seen: Overview) -> AlertSummary:
    """Return an alert with the last count that there is."""
    return AlertSummary(**_summary(seen, seen.counted))


def alert_out(seen: Overview, alert: Alert, counted: Counted) -> AlertOut:
    """Return an alert whole, with a count."""
    return AlertOut(
        **_summary(seen, counted),
        urgency=alert.urgency,
        certainty=alert.certainty,
        category=list(alert.body.get("category", ())),
        words={
            locale: WordsOut(
                headline=said.headline,
                text=said.text,
                channel_text={
                    channel: by[locale]
                    for channel, by in alert.channel_words.items()
                    if locale in by
                },
            )
            for locale, said in alert.words.items()
        },
        template=alert.body.get("template"),
        options=[OptionOut(key=one.key, label=dict(one.label)) for one in alert.options],
        audience=_audience(alert),
    )


def _audience(alert: Alert) -> AudienceOut:
    of = alert.audience.of
    return AudienceOut(
        groups=(alert.body.get("audience") or {}).get("groups", []),
        recipients=len(alert.audience.recipients),
        points=len(alert.audience.points),
        of=OfOut(alert=of.alert, who=of.who) if of else None,
    )


def _summary(seen: Overview, counted: Counted | None) -> dict[str, Any]:
    return {
        "id": seen.id,
        "state": seen.state,
        "mode": seen.mode,
        "type": seen.type,
        "severity": seen.severity,
        "lane": seen.lane,
        "headline": dict(seen.headlines),
        "channels": list(seen.channels),
        "references": list(seen.references),
        "corrects": seen.corrects,
        "made_by": Maker(id=seen.made_by, name=seen.made_by_name),
        "source": seen.source,
        "accepted_at": to_datetime(seen.accepted_at),
        "send_at": _local(seen.send_at, seen.send_zone),
        "zone": seen.send_zone,
        "expires_at": to_datetime(seen.expires_at),
        "expanded_at": to_datetime(seen.expanded_at) if seen.expanded_at is not None else None,
        "set_aside_at": to_datetime(seen.set_aside_at) if seen.set_aside_at is not None else None,
        "order": _order(seen),
        "counts": _counts(counted, seen.now) if counted else None,
        "links": links_of(seen.id),
    }


def _local(micros: int | None, zone: str | None) -> datetime | None:
    if micros is None:
        return None
    instant = to_datetime(micros)
    return instant.astimezone(ZoneInfo(zone)) if zone else instant


def _order(seen: Overview) -> Order | None:
    if seen.control_at is None:
        return None
    return Order(control=seen.control, at=to_datetime(seen.control_at), by=seen.control_by or "")


def _counts(counted: Counted, now: int) -> CountsOut:
    found = counted.counts
    return CountsOut(
        counted_at=to_datetime(counted.at),
        age_seconds=max(0.0, round((now - counted.at) / SECOND, 3)),
        channels={
            name: ChannelCounts(total=sum(states.values()), states=dict(states))
            for name, states in sorted(found.channels.items())
        },
        people=PeopleCounts(
            total=found.total_people,
            states={state: found.people.get(state, 0) for state in PersonState},
            causes=dict(found.causes),
        ),
        answers=dict(sorted(found.answers.items())),
    )
