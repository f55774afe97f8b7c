"""Which channels an alert goes out on, and whether they can carry its words."""

from collections.abc import Hashable, Iterator, Mapping
from difflib import get_close_matches

import channels
from channels import AnyChannel
from kentongan.alert import Alert, Mode
from kentongan.message import Wording
from service.accepting.faults import Faults
from service.api.alert_bodies import NewAlert
from service.remembered import Remembered
from service.wiring import House
from templates.wording import wording_of

Ways = Mapping[str, AnyChannel]


def ways_for(house: House, body: NewAlert, original: Alert | None, faults: Faults) -> Ways:
    """Return the channels of an alert by name; a correction has those of its original."""
    there = house.practising if body.mode is Mode.TEST else house.channels
    if body.mode is Mode.TEST and not there:
        faults.note(
            "mode",
            "There is no simulator, and a test goes nowhere else.",
            "Set KENTONGAN_SIMULATOR_URL, or send an exercise to contact points of your own.",
        )
        return {}
    for name in body.channel_text.keys() - there.keys():
        if name not in channels.discover():
            faults.note(f"channel_text/{name}", f"There is no channel {name}.", _nearest(name))
    if body.channels is None:
        names = original.channels if original else tuple(there)
        found = {name: there[name] for name in names if name in there}
        if not found:
            faults.note("channels", "No channel is configured.", "Configure one; see the manual.")
        return found
    for place, name in enumerate(body.channels):
        if name not in there:
            faults.note(f"channels/{place}", *_why_not(name, body.mode))
    return {name: there[name] for name in dict.fromkeys(body.channels) if name in there}


def _why_not(name: str, mode: Mode) -> tuple[str, str]:
    if name not in channels.discover():
        return f"There is no channel {name}.", _nearest(name)
    if mode is Mode.TEST:
        return f"The channel {name} has no simulator.", "Take it out, or send an exercise."
    settings = f"KENTONGAN_{name.upper()}_…"
    return f"The channel {name} is not configured.", f"Take it out, or have {settings} set."


def _nearest(name: str) -> str:
    known = sorted(channels.discover())
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(known)}."


def note_too_long(alert: Alert, ways: Ways, faults: Faults) -> None:
    """Note every text, marked as it would go out, that its channel could not carry."""
    said = _said(alert, ways)
    found = _TOO_LONG.get(said)
    if found is None:
        found = _TOO_LONG.put(said, tuple(_all_too_long(alert, ways)))
    for fault in found:
        faults.note(*fault)


def _all_too_long(alert: Alert, ways: Ways) -> "Iterator[_Fault]":
    for channel in ways.values():
        for locale in alert.words:
            wording = wording_of(alert, channel.name, locale)
            yield from list(_over_limits(alert, channel, wording)) or _excess(channel, wording)


def _said(alert: Alert, ways: Ways) -> Hashable:
    """Return all that its messages are made of, but for the instants, which move no limit."""
    return (
        *ways.values(),
        *(alert.mode, alert.type, alert.severity, alert.urgency, alert.certainty, alert.lane),
        *(alert.source, *alert.body.get("category", ())),
        *alert.words.items(),
        *((channel, *by.items()) for channel, by in alert.channel_words.items()),
        *((option.key, *option.label.items()) for option in alert.options),
        *alert.references,
    )


_Fault = tuple[str, str, str]
#: Systems say the same again and again; preparing it costs as much as all the rest of accepting it.
_TOO_LONG: Remembered[Hashable, tuple[_Fault, ...]] = Remembered(128)


def _over_limits(alert: Alert, channel: AnyChannel, wording: Wording) -> Iterator[_Fault]:
    locale, limits = wording.locale, channel.limits
    own = f"channel_text/{channel.name}/{locale}"
    has_own = locale in alert.channel_words.get(channel.name, {})
    if (length := len(wording.text)) > limits.text:
        yield (
            own if has_own else f"text/{locale}",
            _too_long(channel, length, limits.text),
            "Shorten it." if has_own else f"Shorten it, or give {own}.",
        )
    if (length := len(wording.headline)) > limits.headline:
        yield f"headline/{locale}", _too_long(channel, length, limits.headline), "Shorten it."


def _too_long(channel: AnyChannel, length: int, most: int) -> str:
    return f"By {channel.name} it would be {length:,} characters long; {most:,} are allowed."


def _excess(channel: AnyChannel, wording: Wording) -> Iterator[_Fault]:
    """Look at the whole: accepted, it would be refused by its channel for everyone."""
    if excess := channel.preview(channel.prepare(wording)).excess:
        yield (
            f"text/{wording.locale}",
            f"By {channel.name}, with headline and options: {excess}",
            f"Shorten text, headline or options, or give channel_text/{channel.name}.",
        )
