"""Bad settings of the relay are refused with the sentence that mends them."""

import pytest

from channels._shared.smtp_settings import EmailSettings, Tls
from kentongan.settings import SettingsError, load
from tests.fakes.mail import PASSWORD

GOOD = {"KENTONGAN_EMAIL_HOST": "relay.example.id", "KENTONGAN_EMAIL_SENDER": "a@example.id"}


def test_host_and_sender_suffice_and_mean_encryption() -> None:
    read = load(EmailSettings, GOOD)

    assert read.tls is Tls.STARTTLS
    assert read.usual_port == 587
    assert read.bounce_domain is None


@pytest.mark.parametrize("missing", GOOD)
def test_without_host_or_sender_there_is_no_channel(missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        load(EmailSettings, {name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TLS", "none"),
        ("TLS", "maybe"),
        ("SENDER", "nobody"),
        ("SENDER", "a@example.id\r\nBcc: x@example.id"),
        ("SENDER", "é@example.id"),
        ("BOUNCE_DOMAIN", "not a domain"),
        ("BOUNCE_DOMAIN", "localhost"),
        ("BOUNCE_LISTEN", "2525"),
        ("PORT", "70000"),
        ("CONNECTIONS", "0"),
        ("TOTAL_TIMEOUT", "55"),
        ("CA_CERTIFICATES", "/nowhere/ca.pem"),
    ],
)
def test_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"KENTONGAN_EMAIL_{name} cannot be used"):
        load(EmailSettings, GOOD | {f"KENTONGAN_EMAIL_{name}": value})


@pytest.mark.parametrize(
    ("host", "more"), [("localhost", {}), ("::1", {}), ("mail.lan", {"ALLOW_PLAINTEXT": "true"})]
)
def test_plain_text_goes_to_this_machine_or_where_it_was_allowed(
    host: str, more: dict[str, str]
) -> None:
    given = GOOD | {"KENTONGAN_EMAIL_HOST": host, "KENTONGAN_EMAIL_TLS": "none"}
    given |= {f"KENTONGAN_EMAIL_{name}": value for name, value in more.items()}

    assert load(EmailSettings, given).usual_port == 25


def test_password_is_shown_nowhere() -> None:
    read = load(EmailSettings, GOOD | {"KENTONGAN_EMAIL_PASSWORD": PASSWORD})

    assert PASSWORD not in f"{read!r} {read} {read.model_dump_json()}"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in EmailSettings.model_fields.values())
