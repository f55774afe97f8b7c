"""The address of a person's own page, which only we can make: a delivery's id and a MAC of it."""

from kentongan.deployment import Deployment
from kentongan.ids import PREFIXES, TAIL_LENGTH, DeliveryId
from kentongan.keyring import Keyring

PURPOSE = "recipient-page"
_PREFIX = PREFIXES["delivery"]


def response_url(deployment: Deployment, delivery_id: DeliveryId) -> str:
    """Return where the person behind a delivery reads, answers and opts out.

    Whoever holds it may answer for that one delivery, and do nothing else.
    """
    return f"{deployment.public_url}/r/{token_of(deployment.keyring, delivery_id)}"


def token_of(keyring: Keyring, delivery_id: DeliveryId) -> str:
    """Return `<26 letters of the id>-<26 letters of MAC>`: nothing of it has to be stored."""
    return f"{delivery_id.removeprefix(_PREFIX)}-{keyring.mac(PURPOSE, delivery_id)}"


def delivery_of(keyring: Keyring, token: str) -> DeliveryId | None:
    """Return the delivery that a token of ours stands for; None for everything else."""
    tail, dash, mac = token.partition("-")
    if not dash or len(tail) != TAIL_LENGTH or not tail.isascii() or not tail.isalnum():
        return None
    delivery_id = DeliveryId(_PREFIX + tail)
    return delivery_id if keyring.is_genuine(PURPOSE, delivery_id, mac) else None
