"""What the parts of a request are made of: strict, frozen, with bounded text."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

#: RFC 3339, as JSON has no instants; pydantic alone would also read "123" as seconds.
Instant = Annotated[
    AwareDatetime,
    Field(
        json_schema_extra={
            "pattern": r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$"
        }
    ),
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
