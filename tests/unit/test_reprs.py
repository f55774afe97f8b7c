"""What holds a secret does not show it: a repr ends up in tracebacks, logs and bug reports."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.configured import configured
from cli.process import Program
from kentongan.deployment import Deployment
from kentongan.keyring import Keyring
from kentongan.practice import simulator_at
from kentongan.settings import Settings, load
from workers.redis_url import parse

SECRET = "canary-of-a-secret-key-of-thirty-two-letters"
ENVIRON = {
    "KENTONGAN_DATABASE_URL": "postgresql://me:canary-pw@db.example/x",
    "KENTONGAN_REDIS_URL": "redis://:canary-pw@redis.example",
    "KENTONGAN_SECRET_KEY": SECRET,
    "KENTONGAN_SIMULATOR_URL": "http://127.0.0.1:9",
    "KENTONGAN_EMAIL_PASSWORD": "canary-pw",
    "KENTONGAN_SMS_AUTH_TOKEN": "canary-token",
}
RING = Keyring([SECRET])

HOLDERS: dict[str, Callable[[], object]] = {
    "settings": lambda: load(Settings, ENVIRON),
    "configured": lambda: configured(ENVIRON),
    "deployment": lambda: Deployment.of(load(Settings, ENVIRON), RING),
    "program": lambda: Program(name="x", argv=["x"], environ=ENVIRON, log=Path("x")),
    "redis": lambda: parse(ENVIRON["KENTONGAN_REDIS_URL"]),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_holder_of_secrets_does_not_show_them(holder: str) -> None:
    held = HOLDERS[holder]()

    assert "canary" not in f"{held!r} {held}"


def test_simulator_s_token_is_not_shown() -> None:
    at = simulator_at(load(Settings, ENVIRON), RING)

    assert at is not None
    assert at.auth_token not in repr(at)
