"""Sender addresses that only we can make: a bounce finds its attempt by the address it comes to.

Nearly half of all real bounces carry nothing that a machine could read, but all come back to the
envelope's sender (VERP). The MAC keeps strangers from failing deliveries that are not theirs.
"""

from kentongan.ids import AttemptRef
from kentongan.keyring import Keyring

PURPOSE = "verp"
_PREFIX = "b+"


def verp_address(keyring: Keyring, attempt: AttemptRef, domain: str) -> str:
    """Return `b+<attempt>-<mac>@domain`.

    With the whole MAC of 26 letters the local part has at most 60 octets (RFC 5321 allows 64), all
    of them in lower case, since some hosts fold it.
    """
    return f"{_PREFIX}{attempt}-{keyring.mac(PURPOSE, str(attempt))}@{domain}"


def parse_verp(keyring: Keyring, address: str) -> AttemptRef | None:
    """Return the attempt that an address of ours belongs to; None for everything else."""
    local = address.strip().strip("<>").rpartition("@")[0].lower()
    name, _, mac = local.removeprefix(_PREFIX).rpartition("-")
    attempt = AttemptRef.parse(name)
    if attempt is None or not local.startswith(_PREFIX):
        return None
    return attempt if keyring.is_genuine(PURPOSE, str(attempt), mac) else None
