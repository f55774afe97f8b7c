"""The channels of `kentongan up`: each that nobody configured is pointed at the simulator."""

from collections.abc import Mapping, Sequence

from kentongan.keyring import Keyring
from kentongan.practice import credentials
from kentongan.settings import Settings

#: As many units a second as let 1,000 people with two contact points be told in a minute.
_PACE = "60"
_CALLS = "30"
#: Twilio's own number for trying things out; it belongs to nobody.
_SENDER = "+15005550006"
_CHANNELS = ("SMS", "VOICE", "EMAIL", "WEBHOOK")


def theirs(environ: Mapping[str, str]) -> Sequence[str]:
    """Return the built-in channels that the operator has set anything of."""
    return [
        name for name in _CHANNELS if any(key.startswith(f"KENTONGAN_{name}_") for key in environ)
    ]


def pointed(environ: Mapping[str, str], settings: Settings, bounces: int) -> dict[str, str]:
    """Return settings by which all other channels go to the simulator, for our children alone.

    `settings` are those of `up` itself, complete; `bounces` is the port of our bounce listener.
    """
    filled = {
        "SMS": _twilio(settings) | {"UNITS_PER_SECOND": _PACE, "BURST": _PACE},
        "VOICE": _twilio(settings) | {"CALLS_PER_SECOND": _CALLS, "BURST": _CALLS},
        "EMAIL": {
            "HOST": "127.0.0.1",
            "PORT": str(settings.simulator_smtp_port),
            "TLS": "none",
            "SENDER": "alerts@kentongan.example",
            "UNITS_PER_SECOND": _PACE,
            "BURST": _PACE,
            "BOUNCE_DOMAIN": "bounce.kentongan.example",
            "BOUNCE_LISTEN": f"127.0.0.1:{bounces}",
        },
        "WEBHOOK": {
            "ALLOW": f"127.0.0.1:{settings.simulator_port}",
            "INSTEAD": f"http://127.0.0.1:{settings.simulator_port}/hook",
        },
    }
    own = theirs(environ)
    return {
        f"KENTONGAN_{channel}_{name}": value
        for channel, values in filled.items()
        if channel not in own
        for name, value in values.items()
    }


def _twilio(settings: Settings) -> dict[str, str]:
    sid, token = credentials(Keyring([key.get_secret_value() for key in settings.secret_key]))
    return {
        "ACCOUNT_SID": sid,
        "AUTH_TOKEN": token,
        "SENDER": _SENDER,
        "BASE_URL": settings.simulator_url,
    }
