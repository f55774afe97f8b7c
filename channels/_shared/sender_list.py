"""Who a provider sends from, as an operator lists them: `+6281…=10/5000,+6282…`."""

import re

from kentongan.channel import Pace, Sender

#: Said of the settings that are read here.
SYNTAX = (
    "Several are separated by commas; each may have a pace of its own, and units a day: "
    "`+62…=10/5000,+62…=5`."
)

_ONE = re.compile(r"(?P<name>[^=/,]+)(?:=(?P<rate>\d{1,6}(?:\.\d{1,3})?))?(?:/(?P<a_day>\d{1,9}))?")


def senders_of(value: str, pace: Pace, a_day: int) -> tuple[Sender, ...]:
    """Read a list of senders; `pace` and `a_day` (0: no limit) are for those without their own.

    Raises `ValueError` with a sentence for the operator.
    """
    found = [_sender(part.strip(), pace, a_day) for part in value.split(",") if part.strip()]
    if not found:
        raise ValueError("name who it comes from")
    if len({sender.name for sender in found}) != len(found):
        raise ValueError("it names one twice")
    return tuple(found)


def _sender(part: str, pace: Pace, a_day: int) -> Sender:
    one = _ONE.fullmatch(part)
    if one is None or (one["rate"] and not float(one["rate"])):
        raise ValueError("write it as <sender>=<units a second>/<units a day>, or the sender alone")
    rate = float(one["rate"] or 0)
    own = Pace(units_per_second=rate, burst=max(1, int(rate))) if rate else pace
    return Sender(name=one["name"].strip(), pace=own, a_day=int(one["a_day"] or a_day) or None)


def names_of(value: str) -> list[str]:
    """Return the senders alone. Raises `ValueError`."""
    any_pace = Pace(units_per_second=1, burst=1)
    return [sender.name for sender in senders_of(value, any_pace, 0)]
