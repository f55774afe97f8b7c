"""Phone numbers: one normal form, and which countries they may be in."""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from kentongan.channel import AddressError, CountryNotAllowedError

#: phonenumbers finds a number inside any words; we want the whole of what was written to be one.
_WRITTEN = re.compile(r"\+?[\d\s().\-/\u2010-\u2013]{3,40}")

_REFUSED = {
    PhoneNumberType.PREMIUM_RATE: "is a premium-rate number; give one that costs nothing special",
    PhoneNumberType.UNKNOWN: "is no number in use; check its digits",
}


# The same people are alerted again and again, and reading a number costs 60 µs.
@lru_cache(maxsize=4096)
def normal(written: str, region: str, countries: frozenset[str]) -> str:
    """Return E.164. `region` reads numbers without a +; `countries` empty means all.

    Raises `AddressError` with what to do about it, a `CountryNotAllowedError` as the last of all.
    """
    text = written.strip()
    if not _WRITTEN.fullmatch(text):
        raise AddressError("is no phone number; write it as +62 812 3456 7890")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise AddressError("is no phone number; begin it with + and the country code") from None
    if complaint := _REFUSED.get(phonenumbers.number_type(number)):
        raise AddressError(complaint)
    if countries and _region(number) not in countries:
        where = _region(number) or "a place of no country"
        said = f"is in {where}; KENTONGAN_COUNTRIES allows {_list(countries)}"
        raise CountryNotAllowedError(said, _e164(number))
    return _e164(number)


def is_allowed(e164: str, countries: frozenset[str]) -> bool:
    """Tell whether a number in E.164 lies in one of `countries`; empty means all."""
    if not countries:
        return True
    try:
        return _region(phonenumbers.parse(e164)) in countries
    except phonenumbers.NumberParseException:
        return False


def or_as_it_is(written: str) -> str:
    """Return E.164 where it can be told, else what was written: a short code, a name."""
    try:
        return normal(written, "ZZ", frozenset())
    except AddressError:
        return written.strip()


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _region(number: PhoneNumber) -> str | None:
    return phonenumbers.region_code_for_number(number)


def _list(countries: frozenset[str]) -> str:
    return ", ".join(sorted(countries))
