"""Standard Webhooks 1.0.0: the secret that a receiver knows us by, and the signature it checks.

A secret is derived from the receiver's URL and never stored: whoever has the deployment's key and
the URL can tell it again, and one receiver's secret says nothing about another's.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable

from kentongan.keyring import Keyring

PURPOSE = "webhook-signing"
PREFIX = "whsec_"


def signing_secret(keyring: Keyring, url: str) -> str:
    """Return the secret to show to the receiver at `url`, in the webhook channel's normal form."""
    return signing_secrets(keyring, url)[0]


def signing_secrets(keyring: Keyring, url: str) -> list[str]:
    """Return the secrets under all our keys, the newest first.

    While a key is being replaced, a receiver that still knows the old secret finds its signature.
    """
    return [PREFIX + _secret(key, url) for key in keyring.keys(PURPOSE)]


def signature(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one `v1` per secret, separated by blanks.

    `message_id` must contain no full stop, which separates what is signed.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_mac(secret, signed)}" for secret in secrets)


def _secret(key: bytes, url: str) -> str:
    return b64encode(hmac.digest(key, url.encode(), "sha256")).decode()


def _mac(secret: str, signed: bytes) -> str:
    key = b64decode(secret.removeprefix(PREFIX))
    return b64encode(hmac.digest(key, signed, "sha256")).decode()
