"""Local times and their zones: what the clock on the wall says, as one instant or not at all."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.accepting.faults import Faults

_NO_ZONE = "Use a name of the IANA's, such as Asia/Jakarta or Europe/Berlin."


def zone_called(name: str, faults: Faults) -> ZoneInfo | None:
    """Return an IANA time zone; note where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.note("zone", f"There is no time zone called {name!r}.", _NO_ZONE)
        return None


def instant_of(said: datetime, zone: ZoneInfo | None, faults: Faults) -> datetime | None:
    """Return the instant that `send_at` means; note where it means none, or two, or another."""
    if said.tzinfo is not None:
        if zone is not None:
            _compare(said, zone, faults)
        return said
    if zone is None:
        faults.note(
            "send_at",
            "It says neither its offset nor its zone.",
            "Write the offset, as in 2026-01-31T20:00:00+07:00, or give `zone`.",
        )
        return None
    first, second = (said.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if _back(first, zone) == said:
        faults.note(
            "send_at",
            f"The clocks of {zone.key} are put back then, and show {_clock(said)} twice.",
            f"Say which: {first.isoformat()} is the first, {second.isoformat()} the second.",
        )
    else:
        after = first.astimezone(UTC).astimezone(zone)
        faults.note(
            "send_at",
            f"The clocks of {zone.key} are put forward then, and never show {_clock(said)}.",
            f"The same instant, had they not been: {after.isoformat()}.",
        )
    return None


def _compare(said: datetime, zone: ZoneInfo, faults: Faults) -> None:
    there = said.astimezone(zone)
    if there.utcoffset() != said.utcoffset():
        faults.note(
            "send_at",
            f"Its offset is not that of {zone.key} then.",
            f"The same instant there is {there.isoformat()}; write that, or leave out the offset.",
        )


def _back(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clocks show at an instant, without their offset."""
    return instant.astimezone(UTC).astimezone(zone).replace(tzinfo=None)


def _clock(said: datetime) -> str:
    return said.strftime("%H:%M")
