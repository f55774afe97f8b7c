"""How we and the simulator know each other: an address, and credentials derived from our key."""

from urllib.parse import urlsplit

from kentongan.deployment import SimulatorAt
from kentongan.keyring import Keyring
from kentongan.settings import Settings

#: What practice is called among providers, so that its troubles and pace are never the real ones.
PROVIDER = "simulator"


def simulator_at(settings: Settings, keyring: Keyring) -> SimulatorAt | None:
    """Return where the simulator is and what it knows us by; None where none is set."""
    if not settings.simulator_url:
        return None
    host = urlsplit(settings.simulator_url).hostname or "127.0.0.1"
    sid, token = credentials(keyring)
    return SimulatorAt(
        url=settings.simulator_url,
        smtp_host=host,
        smtp_port=settings.simulator_smtp_port or settings.simulator_port + 1,
        account_sid=sid,
        auth_token=token,
    )


def credentials(keyring: Keyring) -> tuple[str, str]:
    """Return an account sid and an auth token in Twilio's forms, the same in every process."""
    sid, token = (
        keyring.keys(purpose)[0].secret.hex()[:32] for purpose in ("simulator", "simulator-key")
    )
    return f"AC{sid}", token
