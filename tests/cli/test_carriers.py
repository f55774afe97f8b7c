"""Where the channels of `kentongan up` lead."""

import pytest

from channels import discover
from cli import carriers
from kentongan.settings import Settings, load

SETTINGS = load(
    Settings,
    {
        "KENTONGAN_SECRET_KEY": "k" * 32,
        "KENTONGAN_SIMULATOR_URL": "http://127.0.0.1:8090",
        "KENTONGAN_SIMULATOR_PORT": "8090",
        "KENTONGAN_SIMULATOR_SMTP_PORT": "8091",
    },
)


def test_every_channel_is_pointed_at_the_simulator() -> None:
    filled = carriers.pointed({}, SETTINGS, 8092)

    for kind in discover().values():
        load(kind.settings_type, filled)
    assert filled["KENTONGAN_SMS_BASE_URL"] == filled["KENTONGAN_VOICE_BASE_URL"]
    assert filled["KENTONGAN_SMS_BASE_URL"] == "http://127.0.0.1:8090"
    assert filled["KENTONGAN_EMAIL_PORT"] == "8091"
    assert filled["KENTONGAN_EMAIL_BOUNCE_LISTEN"] == "127.0.0.1:8092"
    assert filled["KENTONGAN_WEBHOOK_ALLOW"] == "127.0.0.1:8090"
    assert filled["KENTONGAN_WEBHOOK_INSTEAD"] == "http://127.0.0.1:8090/hook"


@pytest.mark.parametrize("name", ["SMS_SENDER", "SMS_AUTH_TOKEN_FILE"])
def test_channel_that_the_operator_set_anything_of_is_left_alone(name: str) -> None:
    environ = {f"KENTONGAN_{name}": "x", "KENTONGAN_SMTP": "x"}

    filled = carriers.pointed(environ, SETTINGS, 8092)

    assert carriers.theirs(environ) == ["SMS"]
    assert not [each for each in filled if each.startswith("KENTONGAN_SMS_")]
    assert "KENTONGAN_VOICE_ACCOUNT_SID" in filled


def test_webhooks_that_the_operator_set_anything_of_go_to_their_addresses() -> None:
    filled = carriers.pointed({"KENTONGAN_WEBHOOK_TIMEOUT": "5"}, SETTINGS, 8092)

    assert not [each for each in filled if each.startswith("KENTONGAN_WEBHOOK_")]
