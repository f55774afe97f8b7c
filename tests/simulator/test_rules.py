"""Requests: what Twilio's published schema lets through, and what it does not."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from simulator.rules import CALL, MESSAGE, fault_in_call, fault_in_message
from tests.simulator.client import OURS, ending, practising

GOOD_MESSAGE = {
    "To": ending("0000"),
    "From": OURS,
    "Body": "Banjir",
    "StatusCallback": "https://alerts.example.org/callbacks/sms/status?d=a.1&l=flash#rc=5&rp=all",
    "ValidityPeriod": "7200",
    "SmartEncoded": "false",
    "RiskCheck": "disable",
}
GOOD_CALL = {
    "To": ending("0000"),
    "From": OURS,
    "Twiml": "<Response><Say>Flood</Say></Response>",
    "StatusCallback": "http://127.0.0.1:8080/callbacks/voice/status?d=a.1",
    "StatusCallbackEvent": ["initiated", "answered", "completed"],
    "Timeout": "30",
    "MachineDetection": "DetectMessageEnd",
    "AsyncAmd": "true",
}


def form(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, list[str]]:
    whole = {**good, **changes}
    return {
        name: value if isinstance(value, list) else [value]
        for name, value in whole.items()
        if value is not None
    }


def test_what_we_mean_to_send_is_let_through() -> None:
    assert fault_in_message(form(GOOD_MESSAGE, {})) is None
    assert fault_in_call(form(GOOD_CALL, {})) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": None}, 21604),
        ({"To": "0812345"}, 21211),
        ({"From": None}, 21603),
        ({"From": "not a sender!"}, 21212),
        ({"Body": None}, 21602),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"StatusCallback": "/callbacks/sms"}, 21609),
        ({"StatusCallback": "https://my_host.example.org/st"}, 21609),
        ({"StatusCallback": "ftp://example.org/st"}, 21609),
        ({"StatusCallback": "https://example.org/" + "x" * 4000}, 21609),
        ({"ValidityPeriod": "0"}, 20422),
        ({"ValidityPeriod": "36001"}, 20422),
        ({"ValidityPeriod": "7200.5"}, 20422),
        ({"SmartEncoded": "maybe"}, 20422),
        ({"Bdoy": "x"}, 20422),
        ({"Twiml": "<Response/>"}, 20422),
        ({"Body": ["one", "two"]}, 20422),
        ({"From": None, "MessagingServiceSid": "MG12"}, 20422),
    ],
)
def test_message_that_breaks_the_schema_is_refused(changes: dict[str, Any], code: int) -> None:
    fault = fault_in_message(form(GOOD_MESSAGE, changes))

    assert fault is not None
    assert fault.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": None}, 21201),
        ({"From": None}, 21213),
        ({"From": "ACME"}, 21212),
        ({"Twiml": None}, 21205),
        ({"Twiml": "<Response><Say>"}, 20422),
        ({"Twiml": "<Say>Flood</Say>"}, 20422),
        ({"Twiml": "<Response><Say>\x0b</Say></Response>"}, 20422),
        ({"Twiml": '<!DOCTYPE a [<!ENTITY b "c">]><Response/>'}, 20422),
        ({"Twiml": f"<Response><Say>{'x' * 4000}</Say></Response>"}, 20422),
        ({"StatusCallbackEvent": ["initiated", "died"]}, 20422),
        ({"MachineDetection": "Yes"}, 20422),
        ({"Timeout": "601"}, 20422),
        ({"ValidityPeriod": "60"}, 20422),
    ],
)
def test_call_that_breaks_the_schema_is_refused(changes: dict[str, Any], code: int) -> None:
    fault = fault_in_call(form(GOOD_CALL, changes))

    assert fault is not None
    assert fault.code == code


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    folder = os.environ.get("KENTONGAN_TEST_MATERIAL")
    path = Path(folder or ".") / "twilio" / "twilio_api_v2010.openapi.json"
    if not folder or not path.exists():
        pytest.skip("KENTONGAN_TEST_MATERIAL holds no twilio/twilio_api_v2010.openapi.json")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize(("resource", "table"), [("Messages", MESSAGE), ("Calls", CALL)])
def test_tables_are_those_of_the_published_schema(
    published: dict[str, Any], resource: str, table: dict[str, Any]
) -> None:
    create = published["paths"][f"/2010-04-01/Accounts/{{AccountSid}}/{resource}.json"]["post"]
    schema = create["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    bad_values = {"integer": "x", "number": "x", "boolean": "x"}

    assert table.keys() == schema["properties"].keys()
    for name, property_ in schema["properties"].items():
        described = _resolved(published, property_)
        if bad := bad_values.get(described.get("type", "")):
            assert table[name](bad), name
        for word in described.get("enum", ()):
            assert not table[name](word), (name, word)
        if described.get("enum") or described.get("format") == "uri" or "pattern" in described:
            assert table[name]("no such word"), name


async def test_answers_are_those_of_the_published_schema(published: dict[str, Any]) -> None:
    async with practising() as client:
        _, message = await client.post("Messages.json", GOOD_MESSAGE)
        _, call = await client.post("Calls.json", GOOD_CALL)
        _, messages = await client.get("Messages.json", PageSize="1")
        _, calls = await client.get("Calls.json")
        async with client.session.get(f"{client.base}.json") as answer:
            account = await answer.json()

    for name, values in {
        "account": [account],
        "account.message": [message, *messages["messages"]],
        "account.call": [call, *calls["calls"]],
    }.items():
        described = published["components"]["schemas"]
        schema_name = f"api.v2010.{name}"
        schema = {
            "$ref": f"#/components/schemas/{schema_name}",
            "components": {"schemas": _without_nullable(described)},
        }
        for value in values:
            Draft202012Validator(schema).validate(value)
            assert value.keys() == described[schema_name]["properties"].keys()


def _resolved(published: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = published["components"]["schemas"][name]
    return found


def _without_nullable(schema: Any) -> Any:
    """Write OpenAPI 3.0's `nullable` the way JSON Schema does."""
    if isinstance(schema, list):
        return [_without_nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: _without_nullable(each) for name, each in schema.items()}
    if whole.get("nullable") is True and isinstance(whole.get("type"), str):
        whole["type"] = [whole["type"], "null"]
    return whole
