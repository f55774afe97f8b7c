"""Which channels an alert goes out on, and whether they can carry its words."""

from collections.abc import Mapping
from difflib import get_close_matches

import channels
from channels import AnyChannel
from kentongan.alert import Alert, Mode
from service.accepting.faults import Faults
from service.api.alert_bodies import NewAlert
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
    """Note every text, marked as it would go out, that is over its channel's limit."""
    for name, channel in ways.items():
        for locale in alert.words:
            wording = wording_of(alert, name, locale)
            own = locale in alert.channel_words.get(name, {})
            length, most = len(wording.text), channel.limits.text
            if length > most:
                faults.note(
                    f"channel_text/{name}/{locale}" if own else f"text/{locale}",
                    f"By {name} it would be {length:,} characters long; {most:,} are allowed.",
                    "Shorten it." if own else f"Shorten it, or give channel_text/{name}/{locale}.",
                )
            length, most = len(wording.headline), channel.limits.headline
            if length > most:
                faults.note(
                    f"headline/{locale}",
                    f"By {name} it would be {length:,} characters long; {most:,} are allowed.",
                    "Shorten it.",
                )
