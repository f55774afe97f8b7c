"""One alert: whom it reached first, then by which channel, what it says, and who did what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiohttp import web

from kentongan.alert import Alert, AlertState
from ledger import deeds
from service.api.alert_paths import whole
from service.console.figures import channels_of, people_of
from service.console.headlines import headline_of
from service.console.rendering import page
from service.console.visit import Visit
from templates.language import Language, language_of
from templates.wording import wording_of

#: Seconds until the page of an alert that runs is asked for again, unless `?still=1` says no.
REFRESH = 15
_RUNNING = frozenset(
    {AlertState.SCHEDULED, AlertState.EXPANDING, AlertState.SENDING, AlertState.SENT}
)
_MOST_DEEDS = 50


@dataclass(frozen=True, slots=True)
class Text:
    """What people read or hear on `channels`, in one locale."""

    locale: str
    channels: tuple[str, ...]
    headline: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An option, and how many chose it; the empty key is a bare acknowledgement."""

    key: str
    label: str | None
    people: int


async def show(visit: Visit) -> web.Response:
    """Show it, with a count that is as old as it says."""
    alert_id = visit.request.match_info["alert_id"]
    async with visit.ledger.read() as db:
        standing, alert = await whole(visit, db, alert_id)
        done = await deeds.about(db, alert_id, limit=_MOST_DEEDS)
    counted = await visit.house.counting.counted(visit.ledger, standing)
    may_run = standing.state in _RUNNING
    still = visit.request.query.get("still") == "1"
    return page(
        visit,
        "alert",
        alert=standing,
        headline=headline_of(standing.headlines, standing.mode, visit.speech.language),
        people=people_of(counted),
        channels=channels_of(counted.counts),
        causes=counted.counts.causes,
        answers=list(_answers(alert, counted.counts.answers, visit.speech.language)),
        counted_ago=max(0, standing.now - counted.at),
        texts=list(_texts(alert, visit.speech.language)),
        groups=(alert.body.get("audience") or {}).get("groups", []),
        deeds=done,
        refresh=REFRESH if may_run and not still else None,
        may_refresh=may_run,
    )


def _answers(alert: Alert, found: Mapping[str, int], language: Language) -> Iterator[Answer]:
    for option in alert.options:
        yield Answer(option.key, option.label_in(language), found.get(option.key, 0))
    if found.get(""):
        yield Answer("", None, found[""])


def _texts(alert: Alert, language: Language) -> Iterator[Text]:
    """Say each text once, with the channels that have it; the reader's language first."""
    for locale in sorted(alert.words, key=lambda one: language_of(one) != language):
        shown: dict[tuple[str, str], list[str]] = {}
        for channel in alert.channels:
            wording = wording_of(alert, channel, locale)
            shown.setdefault((wording.headline, wording.text), []).append(channel)
        for (headline, text), channels in shown.items():
            yield Text(locale.replace("_", "-"), tuple(channels), headline, text)
