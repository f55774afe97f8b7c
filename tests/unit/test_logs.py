"""Logs carry ids; what looks like a secret or an address is gone, even where a bug put it there."""

import json
import logging
from typing import Any

import pytest

from kentongan.logs import JsonLines, redacted

CANARIES = {
    "key": "ktg_AbCd1234_" + "x" * 43,
    "bearer": "Authorization: Bearer abcdefgh12345678",
    "url password": "postgresql://user:hunter2hunter2@db.example/x",
    "assignment": "auth_token='deadbeefdeadbeef'",
    "email": "siti.rahma@example.org",
    "phone": "+6281234567890",
    "webhook secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "link": "https://warn.example/r/abcdefghijklmnopqrstuvwxyz",
}
BARE = {
    "key": "x" * 43,
    "bearer": "abcdefgh12345678",
    "url password": "hunter2hunter2",
    "assignment": "deadbeefdeadbeef",
    "email": "siti.rahma",
    "phone": "81234567890",
    "webhook secret": "C2FVsBQIhrsc",
    "link": "abcdefghijklmnopqrstuvwxyz",
}


def logged(record: logging.LogRecord) -> dict[str, Any]:
    line = JsonLines("test").format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def said(event: str, error: Exception | None = None, **extra: object) -> logging.LogRecord:
    about = (type(error), error, error.__traceback__) if error else None
    return logging.getLogger("test").makeRecord(
        "test", logging.ERROR, "f", 1, event, (), about, extra=extra
    )


@pytest.mark.parametrize("kind", CANARIES)
def test_canary_appears_nowhere_in_a_line(kind: str) -> None:
    canary = CANARIES[kind]
    error = ValueError(f"first {canary}\nsecond line with a row")
    error.__cause__ = KeyError(canary)

    line = json.dumps(logged(said(f"said {canary}", error, where=canary)))

    assert BARE[kind] not in line
    assert "second line" not in line


def test_ids_and_numbers_stay() -> None:
    line = logged(said("settled", delivery="dlv_06abcdefghijklmnopqrstuvwx", no=2))

    assert line["event"] == "settled"
    assert line["delivery"] == "dlv_06abcdefghijklmnopqrstuvwx"
    assert line["no"] == 2


def test_line_breaks_and_colours_cannot_forge_a_line() -> None:
    line = JsonLines("test").format(said('x\n{"event": "\x1b[31m"}'))

    assert "\n" not in line
    assert "\x1b" not in line


def test_long_text_is_cut_before_anything_looks_at_it() -> None:
    assert len(redacted("a@" * 5_000_000)) < 600
