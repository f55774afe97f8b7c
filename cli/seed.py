"""What `kentongan up` finds the first time: an administrator's key and people to warn."""

import asyncio
from collections.abc import Mapping
from typing import Any

from cli.configured import Configured
from kentongan.access import Role
from ledger import keys
from ledger.engine import Ledger

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


def seed(run: Configured, key: str) -> None:
    """Put the key, 60 people and their groups into the ledger, once. Safe to run again."""
    asyncio.run(_seed(run, key))


async def _seed(run: Configured, key: str) -> None:
    ledger = Ledger.open(run.settings.database_url)
    try:
        await keys.ensure(ledger, key, name="kentongan up", role=Role.ADMIN)
    finally:
        await ledger.close()
