"""Parts of a request take what they say and nothing that merely looks like it."""

import json

import pytest
from pydantic import ValidationError

from service.web.bodies import Body, Idempotent, Instant, Line


class Example(Body):
    at: Instant | None = None
    name: Line = "x"


@pytest.mark.parametrize(
    "text",
    ["2026-01-31T20:00:00Z", "2026-01-31t20:00:00.123456+07:00", "2199-12-31T23:59:59-12:00"],
)
def test_rfc_3339_is_an_instant(text: str) -> None:
    assert Example.model_validate_json(json.dumps({"at": text})).at is not None


@pytest.mark.parametrize(
    "value",
    [1700000000, "1700000000", "2026-01-31", "2026-01-31T20:00:00", "0001-01-01T00:00:00Z",
     "9999-12-31T23:59:59-12:00", "2026-02-30T00:00:00Z", "2026-01-31T25:00:00Z", "now", "", True],
)  # fmt: skip
def test_anything_else_is_none(value: object) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate_json(json.dumps({"at": value}))


@pytest.mark.parametrize(
    "text", ["", "a\nb", "a\x00", "\x1b[31m", "\u202egnp.exe", "a\u2028b", "x" * 201, "\x85"]
)
def test_line_holds_no_controls(text: str) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate_json(json.dumps({"name": text}))


def test_line_is_composed_and_keeps_its_letters() -> None:
    made = Example.model_validate_json(json.dumps({"name": "Cafe\u0301 \u0b95 \U0001f600"}))

    assert made.name == "Caf\u00e9 \u0b95 \U0001f600"


def test_header_model_reads_its_alias() -> None:
    assert Idempotent.model_validate_json('{"Idempotency-Key": "k"}').idempotency_key == "k"
