"""What the parts of a request are made of: strict, frozen, with bounded text."""

import re
from datetime import datetime
from functools import partial
from typing import Annotated, NoReturn
from unicodedata import normalize

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from service.web.problems import fault

#: RFC 3339, as JSON has no instants; pydantic alone would also read "123" as seconds.
_RFC_3339 = r"^2[01]\d\d-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)$"
_INSTANT = re.compile(_RFC_3339, re.ASCII)


def _written_out(value: object) -> object:
    # pydantic would also read "123", and years whose instants we cannot write down again.
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value) if _INSTANT.match(value) else _no_instant()
    except ValueError:
        _no_instant()


def _no_instant() -> NoReturn:
    raise fault("It is no instant between 2000 and 2199.", "Write it as 2026-01-31T20:00:00+07:00.")


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    Field(json_schema_extra={"pattern": _RFC_3339}),
]
#: The same, or what the clocks of a zone show that is given beside it.
_OR_LOCAL = _RFC_3339.replace("([Zz]|", "([Zz]?|")
_INSTANT_OR_LOCAL = re.compile(_OR_LOCAL, re.ASCII)


def _written_out_or_local(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value) if _INSTANT_OR_LOCAL.match(value) else _no_instant()
    except ValueError:
        _no_instant()


InstantOrLocal = Annotated[
    datetime,
    BeforeValidator(_written_out_or_local),
    Field(json_schema_extra={"pattern": _OR_LOCAL}),
]
#: One line for people: no controls, no line ends, nothing that turns the reading direction.
_LINE = "^[^\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
Line = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=_LINE),
    AfterValidator(partial(normalize, "NFC")),
]
IdempotencyKey = Annotated[
    str | None,
    Field(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="Any text of yours, the same for every repeat of one request; kept for 24 h.",
    ),
]


class Body(BaseModel):
    """A JSON body: no unknown fields, and no text where a number is meant."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Path(BaseModel):
    """Parts of a path. What does not fit does not exist: 404."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Query parameters. Integers are digits, flags `true` or `false`, lists are repeated names."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Headers(BaseModel):
    """Headers that an operation reads; others are left alone. Give each field its alias."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, populate_by_name=True)


class Idempotent(Headers):
    """The header of operations whose repeat must not act twice."""

    idempotency_key: IdempotencyKey = None


class Out(BaseModel):
    """A JSON answer."""

    model_config = ConfigDict(frozen=True)


def id_pattern(prefix: str) -> str:
    """Return the pattern of our ids with `prefix` (kentongan.ids)."""
    return rf"^{prefix}[0-9a-v]{{26}}$"
