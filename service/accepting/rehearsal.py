"""What a dry run tells: who would be told, by what, in which words; nothing is written."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import Field

from kentongan.alert import Alert
from kentongan.delivery import Cause, Work
from kentongan.expansion import Expanded, Point, Stage, expand, next_stage
from kentongan.ids import DeliveryId
from ledger.audience_lookup import MOST_COUNTED, rough_size
from ledger.audiences import Page, members
from ledger.corrections import never_told
from ledger.engine import Db
from service.accepting.budget import Budget, CostOut, Warned
from service.accepting.draft import Draft
from service.calls import Call
from service.web.bodies import Out
from templates.fill import blanks_of
from templates.lint import lint
from templates.wording import wording_of

PAGE = 1000
SMS = "sms"


class ShownText(Out):
    """A message as its channel would carry it."""

    channel: str
    locale: str
    subject: str
    text: str
    units: int = Field(
        description="What it takes of the channel's pace: segments, calls, messages."
    )
    notes: list[str]


class DryRun(Out):
    """What would happen. Counts are null above 10,000 people; `note` then says so."""

    people: int | None
    deliveries: dict[str, int] | None = Field(description="By channel; a shared address once.")
    units: dict[str, int] | None = Field(description="By channel: all that is to be carried.")
    unreachable: dict[Cause, int] | None = Field(description="People without a delivery, by cause.")
    suppressed: int | None = Field(description="Deliveries to contact points that opted out.")
    segments: dict[str, int] = Field(description="Parts of one SMS, by locale.")
    texts: list[ShownText]
    warnings: list[Warned]
    never_told: int | None = Field(
        description="For a correction: people who would get neither the original nor this."
    )
    cost: CostOut | None = Field(description="Null where there are no prices, and for a test.")
    note: str | None


@dataclass
class _Reach:
    """Who would be reached, counted page by page, and what that costs."""

    budget: Budget
    people: int = 0
    suppressed: int = 0
    deliveries: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    causes: Counter[Cause] = field(default_factory=Counter)

    def add(self, page: Expanded) -> None:
        self.people += len(page.people)
        self.causes.update(person.cause for person in page.people if person.cause)
        for delivery in page.deliveries:
            self.deliveries[delivery.channel] += 1
            if delivery.work == Work.SUPPRESSED:
                self.suppressed += 1
            else:
                self.units[delivery.channel] += delivery.units


async def rehearse(call: Call, draft: Draft) -> DryRun:
    """Return what committing `draft` would lead to."""
    texts = _texts(draft)
    units = {(text.channel, text.locale): text.units for text in texts}
    async with call.ledger.read() as db:
        reach = await _reach(call, db, draft.alert, units)
        whole = reach.people <= MOST_COUNTED
        share = 1.0
        if not whole:
            share = min(1.0, reach.people / max(1, await rough_size(db, draft.alert.audience)))
        met = await reach.budget.warnings(db, share)
        untold = await never_told(db, draft.original) if draft.original else None
    return DryRun(
        people=reach.people if whole else None,
        deliveries=dict(reach.deliveries) if whole else None,
        units=dict(reach.units) if whole else None,
        unreachable=dict(reach.causes) if whole else None,
        suppressed=reach.suppressed if whole else None,
        segments={text.locale: text.units for text in texts if text.channel == SMS},
        texts=texts,
        warnings=[*_warnings(call, draft), *met],
        never_told=untold,
        cost=reach.budget.cost(share),
        note=None if whole else f"More than {MOST_COUNTED:,} people: they are counted as it runs.",
    )


def _texts(draft: Draft) -> list[ShownText]:
    found = []
    for name, channel in draft.ways.items():
        for locale in draft.alert.words:
            prepared = channel.prepare(wording_of(draft.alert, name, locale))
            shown = channel.preview(prepared)
            found.append(
                ShownText(
                    channel=name,
                    locale=locale,
                    subject=shown.subject,
                    text=shown.text,
                    units=channel.units(prepared),
                    notes=list(shown.notes),
                )
            )
    return found


async def _reach(call: Call, db: Db, alert: Alert, units: Mapping[tuple[str, str], int]) -> _Reach:
    """Expand in memory as the workers would, until it is too many people."""
    reach = _Reach(Budget(call.house.settings.caps, alert))
    known: dict[Point, DeliveryId] = {}
    async for page in _pages(db, alert):
        added = expand(
            page.members,
            alert,
            fallback_locale=call.house.settings.default_locale,
            units=units,
            suppressed=page.barred,
            known=known,
        )
        known |= {(new.channel, new.address): new.id for new in added.deliveries}
        reach.add(added)
        await reach.budget.add(db, added.deliveries)
        if reach.people > MOST_COUNTED:
            break
    return reach


async def _pages(db: Db, alert: Alert) -> AsyncIterator[Page]:
    stage, cursor = Stage.POINTS, ""
    seen: set[str] = set()
    while stage is not Stage.DONE:
        page = await members(db, alert, stage, cursor, PAGE)
        cursor = page.cursor
        # Nothing is stored, so the ledger cannot leave out who was found by another part.
        yield replace(page, members=[m for m in page.members if m.recipient_id not in seen])
        seen.update(m.recipient_id for m in page.members if m.recipient_id)
        if not cursor:
            stage = next_stage(stage)


def _warnings(call: Call, draft: Draft) -> list[Warned]:
    alert = draft.alert
    found = [
        Warned(code=warning.code, locale=locale, warning=warning.sentence)
        for locale, said in alert.words.items()
        for warning in lint(
            said.headline,
            said.text,
            locale,
            mode=alert.mode,
            organisation=call.house.settings.organisation,
            sms_text=alert.channel_words.get(SMS, {}).get(locale),
        )
    ]
    return [*found, *_left_over(draft)]


def _left_over(draft: Draft) -> list[Warned]:
    """Warn of values that no blank takes: a misspelt name, most likely."""
    body = draft.alert.body
    if body.get("template") is not None:
        return []
    given = [body.get("headline"), body.get("text"), *body.get("channel_text", {}).values()]
    texts = [
        text
        for one in given
        if one is not None
        for text in ([one] if isinstance(one, str) else one.values())
    ]
    used = frozenset[str]().union(*(blanks_of(text) for text in texts))
    return [
        Warned(code="unused_blank", locale=None, warning=f"No text has a blank (({name})).")
        for name in sorted(body.get("blanks", {}).keys() - used)
    ]
