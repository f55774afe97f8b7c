"""Holds a request of ours against the OpenAPI document that Twilio publishes."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

_PATHS = "/2010-04-01/Accounts/{AccountSid}/"


@cache
def _document() -> Any:
    folder = os.environ.get("KENTONGAN_TEST_MATERIAL")
    if not folder:
        pytest.skip("KENTONGAN_TEST_MATERIAL names no folder with Twilio's OpenAPI document")
    return json.loads((Path(folder) / "twilio/twilio_api_v2010.openapi.json").read_text())


def assert_allowed(resource: str, form: dict[str, list[str]]) -> None:
    """Fail unless the document allows this form to create a `Messages` or `Calls` record."""
    document = _document()
    content = document["paths"][f"{_PATHS}{resource}.json"]["post"]["requestBody"]["content"]
    schema = content["application/x-www-form-urlencoded"]["schema"]
    assert set(form) <= set(schema["properties"])
    typed = {name: _typed(schema["properties"][name], values) for name, values in form.items()}
    jsonschema.validate(typed, {**schema, "components": document["components"]})


def _typed(schema: dict[str, Any], values: list[str]) -> Any:
    match schema.get("type"):
        case "array":
            return values
        case "integer":
            return int(values[0])
        case "boolean":
            return {"true": True, "false": False}[values[0]]
        case _:
            [value] = values
            return value
