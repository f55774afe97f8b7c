"""How the console speaks: words from gettext catalogues, times and numbers as a locale has them."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from babel import Locale
from babel.dates import format_datetime, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

from kentongan.access import Role
from kentongan.alert import AlertState, AlertType, Mode, Severity
from kentongan.circuit import Circuit
from kentongan.clock import SECOND, to_datetime
from kentongan.delivery import Cause, PersonState, State
from kentongan.outcome import Reason
from kentongan.receipt import ReceiptKind
from kentongan.settling import Resolution
from ledger.inbound import Meaning
from templates.language import LANGUAGES, Language, language_of

_CATALOGUES = Path(__file__).parent / "locale"
DOMAIN = "console"

#: Whose dates and numbers a language is written with: British English has the 24 hours' clock.
_LOCALES: Mapping[Language, Locale] = MappingProxyType(
    {"en": Locale("en", "GB"), "id": Locale("id")}
)
_QUALITY = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)")

#: Closed sets that pages show, by the context that their words have in the catalogues.
CLOSED_SETS: Mapping[str, type[StrEnum]] = MappingProxyType(
    {
        "alert state": AlertState,
        "alert type": AlertType,
        "cause": Cause,
        "circuit": Circuit,
        "delivery state": State,
        "meaning": Meaning,
        "mode": Mode,
        "person state": PersonState,
        "reason": Reason,
        "receipt": ReceiptKind,
        "resolution": Resolution,
        "role": Role,
        "severity": Severity,
    }
)


@dataclass(frozen=True, slots=True)
class Speech:
    """One language, and the zone whose clocks are shown."""

    language: Language
    zone: tzinfo

    def say(self, text: str, **values: object) -> str:
        """Return a sentence of the catalogue, its `%(places)s` filled with `values`."""
        return str(catalogue(self.language).gettext(text)) % values

    def count(self, one: str, many: str, number: int) -> str:
        """Return a sentence about a number, which stands at its `%(num)s`."""
        said = catalogue(self.language).ngettext(one, many, number)
        return str(said) % {"num": self.number(number)}

    def word(self, context: str, word: str) -> str:
        """Return how a word of ours is said; one that no catalogue has stays as it is."""
        return str(catalogue(self.language).pgettext(context, word))

    def say_if_known(self, text: str) -> str:
        """Return a sentence of ours that was put together elsewhere; as it is where unknown."""
        return str(catalogue(self.language).gettext(text))

    def time(self, micros: int) -> str:
        """Return date, time to the second, and zone."""
        return self.instant(to_datetime(micros))

    def instant(self, instant: datetime) -> str:
        """Return date, time to the second, and zone."""
        at = instant.astimezone(self.zone)
        said = format_datetime(at, "medium", locale=_LOCALES[self.language])
        return f"{said} {at.tzname()}"

    def clock(self, micros: int) -> str:
        """Return the time of day, and the zone."""
        at = to_datetime(micros).astimezone(self.zone)
        return f"{format_time(at, 'medium', locale=_LOCALES[self.language])} {at.tzname()}"

    def ago(self, micros: int) -> str:
        """Return how long ago something was, `micros` of a second."""
        if micros < SECOND:
            return self.say("just now")
        past = timedelta(seconds=-micros / SECOND)
        return format_timedelta(past, add_direction=True, locale=_LOCALES[self.language])

    def number(self, number: int) -> str:
        """Return a whole number with its thousands set apart."""
        return format_decimal(number, locale=_LOCALES[self.language])


def language_asked(accepted: str, otherwise: str) -> Language:
    """Return the language that an `Accept-Language` likes best; else that of the locale given."""
    liked: dict[Language, float] = {}
    for part in accepted.split(","):
        tag, _, rest = part.partition(";")
        quality = _QUALITY.fullmatch(rest.replace(" ", ""))
        spoken = language_of(tag.strip())
        if tag.strip().casefold().startswith(spoken):
            liked.setdefault(spoken, float(quality[1]) if quality else 1.0)
    best = max(liked, key=lambda one: liked[one], default=None)
    return best if best and liked[best] > 0 else language_of(otherwise)


@cache
def catalogue(language: Language) -> Translations:
    """Return the words of a language, read from its `.po` file as translators write it."""
    compiled = io.BytesIO()
    with path_of(language).open("rb") as written:
        write_mo(compiled, read_po(written, locale=language, domain=DOMAIN))
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)


def path_of(language: Language) -> Path:
    """Return where the catalogue of a language lies."""
    assert language in LANGUAGES
    return _CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"
