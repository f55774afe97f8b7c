"""Standard Webhooks 1.0.0: the secret that a receiver knows us by, and the signature it checks.

A secret is derived from the receiver's URL and never stored: whoever has the deployment's key and
the URL can tell it again, and one receiver's secret says nothing about another's.
"""

from base64 import b64encode
from collections.abc import Iterable

from kentongan.keyring import Key, Keyring

PURPOSE = "webhook-signing"
PREFIX = "whsec_"


def signing_secret(keyring: Keyring, url: str) -> str:
    """Return the secret to show to the receiver at `url`, in the webhook channel's normal form."""
    return signing_secrets(keyring, url)[0]


def signing_secrets(keyring: Keyring, url: str) -> list[str]:
    """Return what `signing_keys` returns as receivers write it."""
    return [PREFIX + b64encode(key.secret).decode() for key in signing_keys(keyring, url)]


def signing_keys(keyring: Keyring, url: str) -> list[Key]:
    """Return the receiver's keys under all our keys, the newest first.

    While a key is being replaced, a receiver that still knows the old secret finds its signature.
    """
    named = url.encode()
    return [Key(key.mac(named)) for key in keyring.keys(PURPOSE)]


def signature(keys: Iterable[Key], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one `v1` per key, separated by blanks.

    `message_id` must contain no full stop, which separates what is signed.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join([f"v1,{b64encode(key.mac(signed)).decode()}" for key in keys])
