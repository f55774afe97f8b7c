"""Home: what runs now and whom it reached, what was last, and what can be sent at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiohttp import web

from kentongan.circuit import Circuit
from kentongan.practice import PROVIDER
from ledger import overviews
from ledger.counts import Counted
from ledger.overviews import Overview
from service.api.providers import ChannelOut, channels_now
from service.console.figures import People, people_of
from service.console.headlines import Headline, headline_of
from service.console.rendering import page
from service.console.visit import Visit

#: More than anybody can look after at once; the list says when there are more.
MOST_RUNNING = 20
LATEST = 25


@dataclass(frozen=True, slots=True)
class Card:
    """An alert as Home shows it; `people` is None before the first count."""

    alert: Overview
    headline: Headline
    people: People | None
    counted_ago: int


@dataclass(frozen=True, slots=True)
class Way:
    """A channel in words. `sets_aside` are its providers that nothing is sent through."""

    channel: str
    fails: bool
    slow: bool
    sets_aside: tuple[tuple[str, str], ...]  # provider, reason
    senders_aside: int
    practice_only: bool


async def show(visit: Visit) -> web.Response:
    """Show what runs now first."""
    async with visit.ledger.read() as db:
        running = await overviews.page(db, running=True, limit=MOST_RUNNING + 1)
        latest = await overviews.page(db, limit=LATEST)
        channels = await channels_now(visit.house, db)
    counts = {
        one.id: await visit.house.counting.counted(visit.ledger, one)
        for one in running[:MOST_RUNNING]
    }
    seen = await visit.house.lookout.look()
    return page(
        visit,
        "home",
        running=[_card(visit, one, counts[one.id]) for one in running[:MOST_RUNNING]],
        more_running=len(running) > MOST_RUNNING,
        latest=[_card(visit, one, counts.get(one.id, one.counted)) for one in latest],
        ready=seen.ready,
        troubles=seen.around,
        ways=list(_ways(channels)),
    )


def _card(visit: Visit, alert: Overview, counted: Counted | None) -> Card:
    return Card(
        alert=alert,
        headline=headline_of(alert.headlines, alert.mode, visit.speech.language),
        people=people_of(counted) if counted else None,
        counted_ago=max(0, alert.now - counted.at) if counted else 0,
    )


def _ways(channels: Sequence[ChannelOut]) -> Iterator[Way]:
    for channel in channels:
        real = [one for one in channel.providers if one.provider != PROVIDER]
        shown = real or channel.providers
        yield Way(
            channel=channel.channel,
            fails=channel.fails,
            slow=any(one.slow for one in shown),
            sets_aside=tuple(
                (one.provider, one.reason or "")
                for one in shown
                if one.circuit is not Circuit.CLOSED
            ),
            senders_aside=sum(len(one.senders_aside) for one in shown),
            practice_only=not real,
        )
