"""When an alert is sent and when it goes stale."""

from dataclasses import dataclass

from kentongan.alert import Severity
from kentongan.clock import Micros, seconds, to_micros
from ledger.claims import LEAST_LIFE
from service.accepting.faults import Faults
from service.accepting.zones import instant_of, zone_called
from service.api.alert_bodies import NewAlert

#: A send_at that is no longer past than this means now: clocks differ, and requests take a while.
LENIENCE = seconds(60)
#: Nothing is sent with less than `LEAST_LIFE` left, so a shorter life would reach nobody.
SHORTEST = seconds(LEAST_LIFE) + seconds(5)
LONGEST = seconds(7 * 86_400)
FURTHEST = seconds(366 * 86_400)

_URGENT_LIFE = seconds(4 * 3600)
_LIFE = seconds(24 * 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Epoch microseconds; `send_at` is None where it goes out at once."""

    send_at: Micros | None
    zone: str | None
    expires_at: Micros


def times_of(body: NewAlert, now: int, faults: Faults) -> Times:
    """Return an alert's times. `expires_in` counts from acceptance, its default from sending."""
    send_at = _send_at(body, now, faults)
    begins, zone = send_at or now, body.zone if send_at else None
    if body.expires_in is None:
        expires_at = begins + _life(body.severity)
        return Times(send_at=send_at, zone=zone, expires_at=Micros(expires_at))
    expires_at = now + seconds(min(max(body.expires_in, -10_000_000), 1_000_000_000))
    if expires_at <= now:
        faults.note("expires_in", "It would have expired already.", "Give the seconds it has left.")
    elif send_at is not None and expires_at <= send_at:
        faults.note(
            "send_at",
            "It would expire before it is sent.",
            "Send earlier, or let it live longer: expires_in counts from now.",
        )
    elif expires_at - begins < SHORTEST:
        faults.note(
            "expires_in",
            f"With less than {LEAST_LIFE:.0f} s of life nothing is sent any more.",
            f"Leave at least {SHORTEST // seconds(1)} s after it is sent.",
        )
    elif expires_at - begins > LONGEST:
        faults.note("expires_in", "It would live too long.", "At most 7 days after it is sent.")
    return Times(send_at=send_at, zone=zone, expires_at=Micros(expires_at))


def _send_at(body: NewAlert, now: int, faults: Faults) -> Micros | None:
    zone = None if body.zone is None else zone_called(body.zone, faults)
    if body.send_at is None:
        if body.zone is not None:
            faults.note("zone", "It is of no use by itself.", "Give send_at, or leave it out.")
        return None
    if body.zone is not None and zone is None:
        return None
    instant = instant_of(body.send_at, zone, faults)
    if instant is None:
        return None
    send_at = to_micros(instant)
    if send_at < now - LENIENCE:
        faults.note("send_at", "It is in the past.", "Choose a later instant, or leave it out.")
    elif send_at > now + FURTHEST:
        faults.note("send_at", "It is more than a year ahead.", "Choose an earlier instant.")
    return send_at if send_at > now else None


def _life(severity: Severity) -> int:
    return _URGENT_LIFE if severity in {Severity.EXTREME, Severity.SEVERE} else _LIFE
