"""Webhook signatures are those of Standard Webhooks, and a secret belongs to one receiver."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from kentongan.keyring import Key, Keyring
from kentongan.webhook_signing import (
    PREFIX,
    signature,
    signing_keys,
    signing_secret,
    signing_secrets,
)

#: Published with Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks), and two
#: made by its Python library.
VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "standard_webhooks_vectors.json").read_text("utf-8")
)["v1"]

URL = "https://ops.example.org/hook"
OLD, NEW = "old-secret-" * 4, "new-secret-" * 4


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
def test_published_vectors_are_signed_alike(vector: dict[str, Any]) -> None:
    key = Key(b64decode(vector["secret"].removeprefix(PREFIX)))

    signed = signature([key], vector["id"], vector["timestamp"], vector["body"].encode())

    assert signed == vector["signature"]


def test_receivers_have_secrets_of_their_own() -> None:
    keyring = Keyring([NEW])

    mine = signing_secret(keyring, URL)

    assert mine.startswith("whsec_")
    assert mine == signing_secret(Keyring([NEW]), URL)
    assert mine != signing_secret(keyring, URL + "/other")
    assert mine != signing_secret(Keyring([OLD]), URL)


def test_receivers_are_shown_the_keys_that_we_sign_with() -> None:
    rotating = Keyring([NEW, OLD])

    shown = signing_secrets(rotating, URL)

    assert [b64decode(secret.removeprefix(PREFIX)) for secret in shown] == [
        key.secret for key in signing_keys(rotating, URL)
    ]


def test_while_a_key_is_replaced_both_secrets_verify() -> None:
    body, now = b'{"a": 1}', datetime.now(UTC)
    known_before = signing_secret(Keyring([OLD]), URL)
    rotating = Keyring([NEW, OLD])
    headers = {
        "webhook-id": "dlv_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature(
            signing_keys(rotating, URL), "dlv_1", int(now.timestamp()), body
        ),
    }

    assert Webhook(known_before).verify(body, headers) == {"a": 1}
    assert Webhook(signing_secret(rotating, URL)).verify(body, headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(signing_secret(Keyring(["stranger-" * 4]), URL)).verify(body, headers)
