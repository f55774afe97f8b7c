"""What `kentongan up` finds the first time: an administrator's key and people to warn."""

import secrets
from collections.abc import Mapping
from typing import Any

from cli.configured import Configured

#: What the printed curl posts.
EXAMPLE: Mapping[str, Any] = {
    "mode": "test",
    "type": "alert",
    "severity": "severe",
    "urgency": "immediate",
    "certainty": "observed",
    "category": ["met"],
    "template": "flood",
    "blanks": {"place": "Semarang Utara", "until": "20:00"},
    "audience": {"groups": ["north"]},
    "channels": ["sms", "voice", "email", "webhook"],
}


def new_key() -> str:
    """Return a fresh API key."""
    return f"ktn_{secrets.token_urlsafe(32)}"


def seed(run: Configured, key: str) -> None:
    """Put the key, 60 people and their groups into the ledger, once. Safe to run again."""
