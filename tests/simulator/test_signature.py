"""Signatures: Twilio's published vector, and others that its SDK computed."""

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.signature import sign

VECTORS = json.loads(
    (Path(__file__).parent / "data" / "twilio_signatures.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_signature_is_the_one_that_twilio_makes(vector: dict[str, Any]) -> None:
    signature = sign(vector["auth_token"], vector["url"], vector["params"].items())

    assert signature == vector["signature"]


def test_repeated_names_are_signed_by_their_distinct_values_in_order() -> None:
    once = sign("token", "http://localhost/", [("a", "1"), ("a", "2")])

    assert sign("token", "http://localhost/", [("a", "2"), ("a", "1"), ("a", "2")]) == once
