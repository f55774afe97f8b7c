"""What bounds an alert for the sake of people and purse, and which alerts nothing bounds."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from kentongan.alert import ALL_CLEAR, Alert, AlertType, Mode, Severity
from kentongan.outcome import Reason
from kentongan.person_rate import Limit, PersonRate
from kentongan.spending import Period, Prices

#: Why a delivery waits that a cap holds back.
HELD_BY_A_CAP = frozenset({Reason.PERSON_RATE, Reason.SPEND_CAP})


def is_capped(alert: Alert) -> bool:
    """Tell whether caps bind an alert."""
    return bind(alert.mode, alert.severity, takes_back=_takes_back(alert))


def bind(mode: Mode, severity: Severity, *, takes_back: bool) -> bool:
    """Tell whether caps bind what is of such a mode and severity (docs/adr/0012).

    Nothing holds up what is extreme, nor a correction or an all clear, which takes back what was
    said before. A test reaches nobody and costs nothing.
    """
    return not (severity is Severity.EXTREME or mode is Mode.TEST or takes_back)


def _takes_back(alert: Alert) -> bool:
    is_all_clear = alert.type is not AlertType.ALERT and alert.body.get("template") == ALL_CLEAR
    return alert.corrects is not None or is_all_clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What the operator set; as it stands here, nothing is bounded."""

    person_rate: PersonRate = field(default_factory=dict)
    prices: Prices = field(default_factory=Prices)
    currency: str = ""
    most: Mapping[Period, int] = field(default_factory=dict)  # millionths of the currency
    zone: tzinfo = UTC

    def terms(self, alert: Alert, channel: str) -> "Terms | None":
        """Return what holds for an alert's messages on a channel; None: there is nothing to do."""
        if alert.mode is Mode.TEST:
            return None
        capped = is_capped(alert)
        terms = Terms(
            channel=channel,
            limits=self.person_rate.get(channel, ()) if capped else (),
            most=self.most if capped and channel in self.prices.channels else {},
            caps=self,
        )
        return terms if terms.limits or channel in self.prices.channels else None

    def strangers(self, channels: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield what names a channel that there is not: the setting, and the name."""
        for setting, named in (
            ("person_rate", self.person_rate.keys()),
            ("prices", self.prices.channels),
        ):
            yield from ((setting, name) for name in sorted(named - set(channels)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for one channel of one alert: limits to each person, what may be spent."""

    channel: str
    limits: tuple[Limit, ...]
    most: Mapping[Period, int]
    caps: Caps

    @property
    def may_hold(self) -> bool:
        """Whether anything of it may be held back; else it is only counted."""
        return bool(self.limits or self.most)

    def cost(self, address: str, units: int) -> int:
        return self.caps.prices.of(self.channel, address, units)
