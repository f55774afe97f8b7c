"""Describes the declared operations as OpenAPI 3.1."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service.web.openapi import Gives, Op, Stream, phrase
from service.web.problems import PROBLEM_TYPE, Problem

Json = dict[str, Any]

REF = "#/components/schemas/{model}"
_IN = {"path": "path", "query": "query", "headers": "header"}

#: Headers that answers of these statuses carry.
_HEADERS = {
    401: {"WWW-Authenticate": "How to authenticate."},
    429: {"Retry-After": "Seconds to wait."},
    503: {"Retry-After": "Seconds to wait."},
}


def describe(ops: Sequence[Op], *, title: str, version: str, description: str) -> Json:
    """Return the document for `ops`, in their order."""
    schemas = _Schemas(ops)
    paths: dict[str, Json] = {}
    for op in ops:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(op.tag for op in ops)],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, `ktg_…`."}
            },
        },
    }


class _Schemas:
    """The models of all operations under one set of names."""

    def __init__(self, ops: Sequence[Op]) -> None:
        inputs: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
        for op in ops:
            inputs += [(model, "validation") for model in op.parts.values()]
            inputs += [(m, "serialization") for m in op.gives.values() if isinstance(m, type)]
        inputs = list(dict.fromkeys(inputs))
        self._refs, defined = models_json_schema(inputs, by_alias=True, ref_template=REF)
        self._all: Mapping[str, Json] = defined.get("$defs", {})
        # Parameters are written out where they are used.
        self._inlined = {
            _last(self._refs[(model, "validation")])
            for op in ops
            for part, model in op.parts.items()
            if part != "body"
        }

    def of(self, model: type[BaseModel], mode: JsonSchemaMode) -> Json:
        return dict(self._refs[(model, mode)])

    def resolved(self, model: type[BaseModel]) -> Json:
        schema = self.of(model, "validation")
        return self._all[_last(schema)] if "$ref" in schema else schema

    def components(self) -> Json:
        return {name: s for name, s in sorted(self._all.items()) if name not in self._inlined}


def _last(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _operation(op: Op, schemas: _Schemas) -> Json:
    described: Json = {
        "operationId": op.name,
        "summary": op.summary,
        "tags": [op.tag],
        "security": [] if op.may is None else [{"key": []}],
    }
    if op.description:
        described["description"] = op.description
    if parameters := [
        parameter
        for part in _IN
        if part in op.parts
        for parameter in _parameters(op, part, schemas)
    ]:
        described["parameters"] = parameters
    if body := _body(op, schemas):
        described["requestBody"] = body
    described["responses"] = _answers(op, schemas)
    return described


def _parameters(op: Op, part: str, schemas: _Schemas) -> Iterable[Json]:
    model = schemas.resolved(op.parts[part])
    for name, given in model.get("properties", {}).items():
        schema = {key: value for key, value in given.items() if key not in ("title", "description")}
        parameter: Json = {
            "name": name,
            "in": _IN[part],
            "required": part == "path" or name in model.get("required", ()),
            "schema": _without_null(schema),
        }
        if "description" in given:
            parameter["description"] = given["description"]
        yield parameter


def _without_null(schema: Json) -> Json:
    """A parameter is absent rather than null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if rest.get("default", 0) is None:
        del rest["default"]
    if not kinds:
        return rest
    return {**kinds[0], **rest} if len(kinds) == 1 else {"anyOf": kinds, **rest}


def _body(op: Op, schemas: _Schemas) -> Json | None:
    if "body" in op.parts:
        schema = schemas.of(op.parts["body"], "validation")
        return {"required": True, "content": {"application/json": {"schema": schema}}}
    if op.takes:
        described: Json = {"required": True, "content": {op.takes.content_type: _TEXT}}
        if op.takes.description:
            described["description"] = op.takes.description
        return described
    return None


_TEXT: Json = {"schema": {"type": "string"}}


def _answers(op: Op, schemas: _Schemas) -> Json:
    answers = {str(status): _answer(status, gives, schemas) for status, gives in op.gives.items()}
    refusal = {"content": {PROBLEM_TYPE: {"schema": schemas.of(Problem, "serialization")}}}
    for status in op.all_errors:
        answers.setdefault(
            str(status), {"description": phrase(status), **_headers(status), **refusal}
        )
    return answers


def _answer(status: int, gives: Gives, schemas: _Schemas) -> Json:
    if gives is None:
        return {"description": phrase(status)}
    if isinstance(gives, Stream):
        return {
            "description": gives.description or phrase(status),
            "content": {gives.content_type: _TEXT},
        }
    schema = schemas.of(gives, "serialization")
    return {"description": phrase(status), "content": {"application/json": {"schema": schema}}}


def _headers(status: int) -> Json:
    named = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in _HEADERS.get(status, {}).items()
    }
    return {"headers": named} if named else {}
