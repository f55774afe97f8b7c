"""A channel's providers and their senders are read from the environment, or refused in words."""

from collections.abc import Mapping

import pytest

import channels
from channels._shared.sender_list import senders_of
from cli.configured import configured
from kentongan.channel import Pace, Sender
from kentongan.settings import SettingsError
from tests.fakes.channels import deployment

ACCOUNT = {"ACCOUNT_SID": f"AC{'0' * 32}", "AUTH_TOKEN": "a" * 32, "SENDER": "+15005550006"}
PACE = Pace(units_per_second=10, burst=10)


def environ(*blocks: str, **more: str) -> dict[str, str]:
    """Return the settings of Twilio accounts: one for each beginning of their names."""
    return {
        **{
            f"KENTONGAN_{block}_{name}": value
            for block in blocks
            for name, value in ACCOUNT.items()
        },
        **{f"KENTONGAN_{name}": value for name, value in more.items()},
    }


def providers(settings: Mapping[str, str], channel: str = "sms") -> list[str]:
    configured(settings)
    found = channels.configured(settings, deployment())
    return [one.provider for one in found.of(channel)]


def refusal(settings: Mapping[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        providers(settings)
    return str(refused.value)


def test_channel_without_a_list_has_one_provider_of_its_own_name() -> None:
    assert providers(environ("SMS")) == ["sms"]


def test_second_provider_has_its_name_in_its_variables() -> None:
    settings = environ("SMS", "SMS_SECOND", SMS_PROVIDERS="main,second")
    settings["KENTONGAN_SMS_SECOND_SENDER"] = "+15005550007"

    found = channels.configured(settings, deployment())

    assert [(one.provider, one.sender) for one in found.of("sms")] == [
        ("main", "+15005550006"),
        ("second", "+15005550007"),
    ]
    assert found["sms"].provider == "main"
    assert found.shares("sms") == {"main": 50, "second": 50}


def test_second_provider_takes_nothing_from_the_first() -> None:
    settings = environ("SMS", "SMS_SECOND", SMS_PROVIDERS="main,second")
    settings["KENTONGAN_SMS_API_KEY"] = f"SK{'0' * 32}"
    settings["KENTONGAN_SMS_API_SECRET"] = "canary"

    [_, second] = channels.configured(settings, deployment()).of("sms")

    assert second.settings.api_key == ""
    assert second.settings.api_secret.get_secret_value() == ""


def test_shares_at_rest_are_as_they_are_set() -> None:
    settings = environ("SMS", "SMS_SECOND", SMS_PROVIDERS="main=70,second=30")

    assert channels.configured(settings, deployment()).shares("sms") == {"main": 70, "second": 30}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("main,main", "names one twice"),
        ("main,simulator", "which is for tests"),
        ("Main", "write it as"),
        ("main=0,second=3", "write it as"),
        ("main,second=3", "give it to all"),
    ],
)
def test_list_that_cannot_be_meant_is_refused(value: str, said: str) -> None:
    sentence = refusal(environ("SMS", "SMS_SECOND", SMS_PROVIDERS=value))

    assert sentence.startswith("KENTONGAN_SMS_PROVIDERS ")
    assert said in sentence


def test_misspelt_setting_of_a_second_provider_stops_the_start() -> None:
    settings = environ("SMS", "SMS_SECOND", SMS_PROVIDERS="main,second")

    sentence = refusal(settings | {"KENTONGAN_SMS_SECOND_SENDR": "+1"})

    assert "did you mean KENTONGAN_SMS_SECOND_SENDER?" in sentence


def test_provider_that_nobody_listed_is_a_stranger() -> None:
    assert "KENTONGAN_SMS_SECOND_" in refusal(environ("SMS", "SMS_SECOND"))


def test_provider_without_its_settings_is_named() -> None:
    assert refusal(environ("SMS", SMS_PROVIDERS="main,second")).startswith(
        "KENTONGAN_SMS_SECOND_ACCOUNT_SID is missing"
    )


def test_webhooks_have_no_providers_to_list() -> None:
    assert "is no setting" in refusal({"KENTONGAN_WEBHOOK_PROVIDERS": "a,b"})


def test_senders_may_have_a_pace_and_a_daily_limit_of_their_own() -> None:
    found = senders_of("+6281=2.5/5000, +6282=30 ,FLOOD WATCH/100,+6283", PACE, 9)

    assert found == (
        Sender(name="+6281", pace=Pace(units_per_second=2.5, burst=2), a_day=5000),
        Sender(name="+6282", pace=Pace(units_per_second=30, burst=30), a_day=9),
        Sender(name="FLOOD WATCH", pace=PACE, a_day=100),
        Sender(name="+6283", pace=PACE, a_day=9),
    )


@pytest.mark.parametrize("value", ["", ",", "+6281=fast", "+6281=0", "+6281/", "+6281,+6281=3"])
def test_senders_that_cannot_be_read_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        senders_of(value, PACE, 0)


@pytest.mark.parametrize("value", ["+15005550006,+1 500", "+15005550006=10,sender!"])
def test_list_with_one_bad_sender_stops_the_start(value: str) -> None:
    assert refusal(environ("SMS") | {"KENTONGAN_SMS_SENDER": value}).startswith(
        "KENTONGAN_SMS_SENDER cannot be used"
    )
