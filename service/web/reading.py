"""Turns a request into the models that an operation declared, or into all of its faults at once."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote_to_bytes

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.web.json_guard import MAX_BODY, check_json
from service.web.problems import Fault, ProblemError, invalid, missing

#: Seconds a client has to send its body; aiohttp itself would wait for ever.
READ_TIMEOUT = 10.0
MAX_PARAMETERS = 100

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_FLAGS: Final = {"true": True, "false": False}


async def read_parts(
    request: web.Request, models: Mapping[str, type[BaseModel]]
) -> dict[str, BaseModel]:
    """Return path, query, headers and body as far as `models` asks; raise `ProblemError`."""
    found: dict[str, BaseModel] = {}
    faults: list[Fault] = []
    for part, model in models.items():
        try:
            if part == "headers":
                found[part] = _headers(request, model)
            elif part == "query" and "?" not in request.raw_path:
                found[part] = _nothing_asked(model)
            else:
                found[part] = model.model_validate_json(await _raw(request, part, model))
        except ValidationError as error:
            if part == "path":
                raise missing() from None
            faults += _faults(part, model, error)
    if faults:
        raise invalid(faults)
    return found


async def _raw(request: web.Request, part: str, model: type[BaseModel]) -> bytes | str:
    match part:
        case "path":
            return json.dumps(dict(request.match_info))
        case "query":
            return json.dumps(_query(request, model))
        case _:
            return await read_json(request)


@cache
def _nothing_asked(model: type[BaseModel]) -> BaseModel:
    """Return the parameters of a request that has none; they are frozen, so one serves all."""
    return model.model_validate_json("{}")


def _headers(request: web.Request, model: type[BaseModel]) -> BaseModel:
    return model.model_validate(dict(_those_there(request, _names(model))))


@cache
def _names(model: type[BaseModel]) -> Sequence[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _those_there(request: web.Request, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Read those that are there; of two, somebody on the way may have meant the other."""
    for name in names:
        values = request.headers.getall(name, [])
        if len(values) > 1:
            raise ProblemError(400, f"There are several {name} headers.", fix="Send one.")
        yield from ((name, value) for value in values)


async def read_json(request: web.Request) -> bytes:
    """Return the body, which is harmless JSON in UTF-8."""
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in (
        "utf-8",
        "utf8",
    ):
        raise ProblemError(
            415, "The body is not declared as JSON.", fix="Send Content-Type: application/json."
        )
    raw = await read_body(request)
    check_json(raw)
    return raw


async def read_body(request: web.Request) -> bytes:
    """Return the whole body: at most `MAX_BODY` bytes, within `READ_TIMEOUT` seconds."""
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise _too_large()
    try:
        if request.content.is_eof():  # it came with the head, as most do
            return await request.read()
        async with asyncio.timeout(READ_TIMEOUT):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except TimeoutError:
        raise ProblemError(
            408,
            f"The body did not come within {READ_TIMEOUT:.0f} s.",
            fix="Send it again.",
            headers={"Connection": "close"},
        ) from None


def _too_large() -> ProblemError:
    return ProblemError(
        413,
        "The body is larger than 1 MiB.",
        fix="Send less; people are imported with POST /v1/recipients/import.",
        headers={"Connection": "close"},
    )


def check_target(target: str) -> None:
    """Raise a 400 for a path or query that could be read in two ways."""
    if _BAD_ESCAPE.search(target):
        raise ProblemError(400, "The URL contains a % that escapes nothing.", fix="Write %25.")
    raw = unquote_to_bytes(target)
    if b"\0" in raw:
        raise ProblemError(400, "The URL contains a NUL.", fix="Take %00 out.")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ProblemError(
            400, "The URL is not UTF-8.", fix="Percent-encode UTF-8 bytes."
        ) from None


def _query(request: web.Request, model: type[BaseModel]) -> dict[str, object]:
    _, _, raw = request.raw_path.partition("?")
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise ProblemError(
            400, f"There are more than {MAX_PARAMETERS} parameters.", fix="Use fewer."
        ) from None
    kinds = _kinds(model)
    values: dict[str, object] = {}
    for name, text in pairs:
        kind = kinds.get(name, "string")
        if kind == "array":
            cast("list[object]", values.setdefault(name, [])).append(text)
        elif name in values:
            raise invalid(
                [Fault(where="query", at=name, problem="It occurs twice.", fix="Keep one.")]
            )
        else:
            values[name] = _typed(kind, text)
    return values


def _typed(kind: str, text: str) -> object:
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "boolean":
        return _FLAGS.get(text, text)
    return text


@cache
def _kinds(model: type[BaseModel]) -> dict[str, str]:
    """Return the JSON type of each parameter: integer, boolean, array or string."""
    schema = model.model_json_schema()
    return {name: _kind(part) for name, part in schema.get("properties", {}).items()}


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = [part.get("type") for part in (schema, *schema.get("anyOf", ()))]
    return next((kind for kind in kinds if kind in ("integer", "boolean", "array")), "string")


def _faults(part: str, model: type[BaseModel], error: ValidationError) -> list[Fault]:
    return [
        Fault(
            where=cast("Any", part),
            at="/".join(str(step) for step in one["loc"]),
            problem=_sentence(one["msg"].removeprefix("Value error, ")),
            fix=_fix(one, model),
        )
        for one in error.errors(include_url=False, include_input=False)[:100]
    ]


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _fix(one: ErrorDetails, model: type[BaseModel]) -> str:
    context = one.get("ctx", {})
    match one["type"]:
        case "fault":
            return str(context["fix"])
        case "missing":
            return "Add it."
        case "extra_forbidden":
            return _nearest(str(one["loc"][-1]), model if len(one["loc"]) == 1 else None)
        case "enum" | "literal_error":
            return f"Use one of {context.get('expected')}."
        case kind:
            return _FIX_OF.get(kind, "See /docs for what goes here.")


def _nearest(name: str, model: type[BaseModel] | None) -> str:
    known = [field.alias or key for key, field in model.model_fields.items()] if model else []
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}? Else take it out." if near else "Take it out."


_FIX_OF = {
    "string_type": "Write a text in quotes.",
    "int_type": "Write a whole number without quotes.",
    "bool_type": "Write true or false without quotes.",
    "list_type": "Write a list: [ … ].",
    "dict_type": "Write an object: { … }.",
    "model_type": "Write an object: { … }.",
    "string_too_long": "Shorten it.",
    "string_too_short": "Lengthen it.",
    "too_long": "Send fewer.",
    "too_short": "Send more.",
    "timezone_aware": "Add a time zone, as in 2026-01-31T20:00:00Z.",
    "datetime_parsing": "Write it as 2026-01-31T20:00:00Z.",
    "datetime_from_date_parsing": "Write it as 2026-01-31T20:00:00Z.",
}
