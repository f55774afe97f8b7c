"""Only Twilio can have made a callback that passes; any doubt is a forgery."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from channels._shared.twilio_signature import authenticate
from kentongan.channel import Callback, ForgedCallbackError

VECTORS = json.loads((Path(__file__).parents[1] / "data/twilio_signature_vectors.json").read_text())
KEY = VECTORS["auth_token"]
CASES = [case for case in VECTORS["cases"] if case["algorithm"] == "HMAC_SHA1"]
FORMS = [case for case in CASES if "params" in case]
each_form = pytest.mark.parametrize("case", FORMS, ids=lambda case: case["name"])


def callback_of(case: dict[str, Any]) -> Callback:
    return Callback(
        kind="status",
        url=case["url"],
        headers={"x-twilio-signature": case["signature"], "content-type": case["content_type"]},
        form={name: (value,) for name, value in case.get("params", {}).items()},
        body=case.get("body", "").encode(),
    )


def is_genuine(callback: Callback, tokens: Sequence[str] = (KEY,)) -> bool:
    try:
        authenticate(callback, [SecretStr(token) for token in tokens])
    except ForgedCallbackError:
        return False
    return True


def with_header(callback: Callback, name: str, value: str) -> Callback:
    return replace(callback, headers={**callback.headers, name: value})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_twilio_signed_passes(case: dict[str, Any]) -> None:
    assert is_genuine(callback_of(case))


def test_published_example_passes() -> None:
    example = VECTORS["published_vector"]
    callback = callback_of({**example, "content_type": "application/x-www-form-urlencoded"})

    assert is_genuine(callback, [example["auth_token"]])


@each_form
def test_second_token_verifies_while_the_first_is_being_replaced(case: dict[str, Any]) -> None:
    callback = callback_of(case)

    assert is_genuine(callback, ["a newer token", KEY])
    assert not is_genuine(callback, ["a newer token"])


@each_form
def test_no_parameter_may_be_added_removed_or_changed(case: dict[str, Any]) -> None:
    callback = callback_of(case)

    for name, values in callback.form.items():
        without = {other: form for other, form in callback.form.items() if other != name}
        assert not is_genuine(replace(callback, form={**callback.form, name: (f"{values[0]}x",)}))
        assert not values[0] or not is_genuine(replace(callback, form=without))
    assert not is_genuine(replace(callback, form={**callback.form, "More": ("1",)}))


@each_form
def test_no_part_of_the_address_may_be_changed(case: dict[str, Any]) -> None:
    callback = callback_of(case)

    for url in (
        callback.url + "x",
        callback.url.replace("/callbacks/", "/callback/"),
        callback.url.replace("https://", "http://"),
        callback.url.replace("alerts.example.org", "alerts.example.com"),
        callback.url.replace("alerts.example.org", "alerts.example.org:99999"),
        "https://[",
        "",
    ):
        assert not is_genuine(replace(callback, url=url))


@each_form
@pytest.mark.parametrize("signature", ["", "x", "ž" * 28, "A" * 28, "\ud800", "=" * 10_000])
def test_no_other_signature_passes(case: dict[str, Any], signature: str) -> None:
    callback = with_header(callback_of(case), "x-twilio-signature", signature)

    assert not is_genuine(callback)


def test_unsigned_callback_is_refused() -> None:
    assert not is_genuine(replace(callback_of(FORMS[0]), headers={}))


@pytest.mark.parametrize(
    "named", ["HMAC_SHA256", "none", "HMAC_MD5", "", "hmac_sha1x", "HMAC_SHA1,algorithm=none"]
)
def test_algorithm_is_ours_to_choose(named: str) -> None:
    settings = f"key=webhooks_sharedkey_1,algorithm={named}"
    callback = with_header(callback_of(FORMS[0]), "x-twilio-webhooks-signature-settings", settings)

    assert not is_genuine(callback)


def test_shared_key_signature_does_not_pass_as_one_by_token() -> None:
    case = next(case for case in VECTORS["cases"] if case["algorithm"] == "HMAC_SHA256")

    assert not is_genuine(callback_of(case))


def test_json_body_is_refused_when_altered_or_not_signed() -> None:
    case = next(case for case in CASES if "body" in case)
    callback = callback_of(case)

    assert not is_genuine(replace(callback, body=callback.body + b" "))
    assert not is_genuine(replace(callback, body=b"\xff"))
    assert not is_genuine(replace(callback, url=callback.url.partition("?")[0]))


def test_body_that_nothing_signs_is_refused_even_with_a_signed_address() -> None:
    empty = Callback(kind="status", url="https://here.example.org/callbacks/sms/status")
    signature = RequestValidator(KEY).compute_signature(empty.url, {})
    signed = with_header(empty, "x-twilio-signature", signature)

    assert is_genuine(signed)
    assert not is_genuine(replace(signed, body=b"{}"))


def test_repeated_values_are_all_signed() -> None:
    once = callback_of(FORMS[0])
    twice = replace(once, form={**once.form, "To": (*once.form["To"], "+15550000000")})

    assert not is_genuine(twice)


@given(
    url=st.text(alphabet=st.characters(codec=None), max_size=60),
    name=st.text(alphabet=st.characters(codec=None), max_size=9),
    value=st.text(alphabet=st.characters(codec=None), max_size=9),
    body=st.binary(max_size=30),
)
def test_nothing_malformed_raises_anything_else(
    url: str, name: str, value: str, body: bytes
) -> None:
    callback = Callback(
        kind="status",
        url=url,
        headers={"x-twilio-signature": value},
        form={name: (value,)} if name else {},
        body=body,
    )

    assert not is_genuine(callback)
