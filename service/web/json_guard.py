"""Reads JSON that nobody can hurt us with: bounded, UTF-8, one meaning only.

The parser behind aiohttp and pydantic would accept NaN, names that occur twice and lone surrogates,
and PostgreSQL cannot keep a NUL.
"""

import codecs
import json
from functools import cache
from typing import NoReturn

from service.web.problems import ProblemError

MAX_BODY = 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 40
MAX_INTEGER = 2**63 - 1


def check_json(raw: bytes) -> None:
    """Raise a 400 unless `raw` is one harmless JSON document."""
    if raw.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        _refuse("The body begins with a byte order mark.", "Send UTF-8 without one.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(f"Byte {error.start} of the body is not UTF-8.", "Encode the body as UTF-8.")
    try:
        document = _decoder().decode(text)
    except RecursionError:
        _too_deep()
    except json.JSONDecodeError as error:
        _refuse(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            "Mend it there.",
        )
    if b"\\u" in raw or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _walk(document)  # without an escape there is neither a NUL nor half a pair in it


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_members,
        parse_int=_integer,
        parse_float=_fraction,
        parse_constant=_constant,
    )


def _walk(document: object) -> None:
    level, depth = [document], 0
    while level:
        inner: list[object] = []
        nests = False
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                nests = True
                for name in value:
                    _check_text(name)
                inner.extend(value.values())
            elif isinstance(value, list):
                nests = True
                inner.extend(value)
        depth += nests
        if depth > MAX_DEPTH:
            _too_deep()
        level = inner


def _check_text(text: str) -> None:
    if "\0" in text:
        _refuse("A text contains a NUL character.", "Take \\u0000 out.")
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse("A text contains half of a surrogate pair.", "Send both halves, or neither.")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(f"A name occurs twice in one object: {_shown(twice)}.", "Keep one of them.")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS or abs(int(digits)) > MAX_INTEGER:
        _refuse("An integer is out of range.", f"Stay within ±{MAX_INTEGER}.")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_DIGITS else float("inf")
    if number in (float("inf"), float("-inf")):
        _refuse("A number is out of range.", f"Use at most {MAX_DIGITS} characters and 1e308.")
    return number


def _constant(word: str) -> NoReturn:
    _refuse(f"{word} is no JSON.", "Send a number or null.")


def _too_deep() -> NoReturn:
    _refuse("The body is nested too deeply.", f"Use at most {MAX_DEPTH} levels.")


def _shown(text: str) -> str:
    return ascii(text[:60])


def _refuse(detail: str, fix: str) -> NoReturn:
    raise ProblemError(400, detail, fix=fix, kind="bad-json")
