"""What can be switched while the simulator runs: `POST /control/behaviour`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FAILURES = ("401", "403", "429", "500", "503", "hang", "close")
MAIL_FAILURES = ("421", "451", "hang", "close")


class BehaviourError(ValueError):
    """A switch is unknown or its value is; the message says which."""


@dataclass(slots=True)
class Behaviour:
    """The switches; each is as harmless as can be until someone turns it."""

    callbacks: bool = True  # False: nobody is called back, and what was due is lost
    listing: bool = True  # False: list and fetch answer 503
    fail: str | None = None  # one of FAILURES: the whole REST API
    mail: str | None = None  # one of MAIL_FAILURES: the whole SMTP server, at MAIL
    delay: float = 0.0  # seconds before each REST answer
    held: float = 0.0  # seconds until a message leaves the provider
    inbound_url: str | None = None

    def switch(self, given: Mapping[str, Any]) -> None:
        """Turn the switches given; raise `BehaviourError` and turn none if one is wrong."""
        for name, value in given.items():
            _check(name, value)
        for name, value in given.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _check(name: str, value: Any) -> None:
    match name:
        case "callbacks" | "listing":
            is_good = isinstance(value, bool)
        case "fail":
            is_good = value is None or value in FAILURES
        case "mail":
            is_good = value is None or value in MAIL_FAILURES
        case "delay" | "held":
            is_good = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        case "inbound_url":
            is_good = value is None or isinstance(value, str)
        case _:
            raise BehaviourError(f"{name} is no switch")
    if not is_good:
        raise BehaviourError(f"{name} cannot be {value!r}")
