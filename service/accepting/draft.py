"""Puts an alert together from a request, or says everything that is wrong with it."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from kentongan.access import Act
from kentongan.alert import Alert, Mode, Option, lane_of
from kentongan.clock import Micros
from kentongan.ids import AlertId, new_alert_id
from ledger.engine import read_now
from service.accepting.earlier import earlier_of, goes_first
from service.accepting.faults import Faults
from service.accepting.times import Times, times_of
from service.accepting.ways import Ways, note_too_long, ways_for
from service.accepting.whom import Whom, names_only_points, whom_for, whom_pasted
from service.accepting.words import Worded, hashable, words_of
from service.api.alert_bodies import NewAlert, NewOption
from service.calls import Call
from service.remembered import Remembered
from service.web.problems import ProblemError
from templates.clean import clean, one_line

LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An alert that may be committed. `people` is None where that was not counted."""

    alert: Alert
    ways: Ways
    people: int | None
    original: Alert | None


async def draft_of(call: Call, body: NewAlert) -> Draft:
    """Return the alert that `body` asks for; raise a `ProblemError` with all that is wrong."""
    _refuse_mode(call, body.mode)
    faults = Faults()
    house = call.house
    worded = words_of(
        body,
        default_locale=house.settings.default_locale,
        organisation=house.settings.organisation,
        faults=faults,
    )
    options = _options(body.options, house.settings.default_locale, faults)
    found = await _found(call, body, faults)
    times = times_of(body, found.now, faults)
    alert = _alert(
        call,
        body,
        worded=worded,
        options=options,
        found=found,
        times=times,
    )
    note_too_long(alert, found.ways, faults)
    faults.refuse_if_any()
    return Draft(alert=alert, ways=found.ways, people=found.whom.people, original=found.original)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the ledger says: whom it is for, by which ways, about what, and what time it is."""

    now: int
    ways: Ways
    whom: Whom
    original: Alert | None = None


async def _found(call: Call, body: NewAlert, faults: Faults) -> _Found:
    if (asked := names_only_points(body)) is not None:
        # Nothing to look up, and the caller's key has just told the time.
        ways = ways_for(call.house, body, None, faults)
        whom = whom_pasted(call, body, asked, ways=ways, faults=faults)
        return _Found(now=call.house.gate.ledger_now(), ways=ways, whom=whom)
    async with call.ledger.read() as db:
        now = await read_now(db)
        earlier = await earlier_of(call, db, body, faults)
        ways = ways_for(call.house, body, earlier.original, faults)
        whom = await whom_for(call, db, body, earlier.original, ways=ways, faults=faults)
    return _Found(now=now, ways=ways, whom=whom, original=earlier.original)


def _refuse_mode(call: Call, mode: Mode) -> None:
    if not call.access.may_use(mode):
        granted = ", ".join(sorted(call.access.key.modes))
        raise ProblemError(
            403,
            f"This key may not send {mode} alerts ({Act.MAKE_ALERT}).",
            fix=f"It may send: {granted}. An admin grants modes.",
        )


#: Options that were found sound: systems ask the same again and again.
_SOUND: Remembered[Hashable, tuple[Option, ...]] = Remembered(128)


def _options(asked: list[NewOption], default_locale: str, faults: Faults) -> tuple[Option, ...]:
    said = (default_locale, *((option.key, hashable(option.label)) for option in asked))
    if (known := _SOUND.get(said)) is not None:
        return known
    found = Faults()
    options = tuple(_read_options(asked, default_locale, found))
    faults.add(found)
    return options if found else _SOUND.put(said, options)


def _read_options(asked: list[NewOption], default_locale: str, faults: Faults) -> Iterable[Option]:
    found: dict[str, Option] = {}
    for place, option in enumerate(asked):
        at = f"options/{place}"
        if option.key in found:
            faults.note(f"{at}/key", f"{option.key} is taken.", "Give each its own digit.")
        given = option.label
        by_locale = {default_locale: given} if isinstance(given, str) else given
        label = {locale: one_line(text) for locale, text in by_locale.items()}
        if not all(0 < len(text) <= LONGEST_LABEL for text in label.values()):
            faults.note(
                f"{at}/label", "It is empty or too long.", f"Use 1 to {LONGEST_LABEL} letters."
            )
        found.setdefault(option.key, Option(key=option.key, label=label))
    return found.values()


def _alert(
    call: Call,
    body: NewAlert,
    *,
    worded: Worded,
    options: tuple[Option, ...],
    found: _Found,
    times: Times,
) -> Alert:
    return Alert(
        id=new_alert_id(),
        mode=body.mode,
        type=body.type,
        severity=body.severity,
        urgency=body.urgency,
        certainty=body.certainty,
        lane=lane_of(body.severity, body.urgency, correction=goes_first(body)),
        words=worded.words,
        channel_words=worded.channel_words,
        audience=found.whom.audience,
        channels=tuple(found.ways),
        options=options,
        references=tuple(AlertId(one) for one in body.references),
        corrects=found.original.id if found.original else None,
        made_by=call.caller,
        source=clean(body.source).strip(),
        body=body.model_dump(mode="json", exclude_unset=True),
        accepted_at=Micros(found.now),
        send_at=times.send_at,
        send_zone=times.zone,
        expires_at=times.expires_at,
    )
