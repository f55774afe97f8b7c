"""Visits to the recipient's page."""

from typing import Any

from kentongan.ids import DeliveryId
from kentongan.keyring import Keyring
from kentongan.response_link import token_of
from ledger import suppressions
from ledger.engine import Ledger
from tests.fakes import asked
from tests.fakes.house import KEYRING, Client

MAIL = "siti@example.org"
OTHER_KEY = Keyring(["another secret key of thirty-two letters"])


def path_of(delivery_id: DeliveryId) -> str:
    return f"/r/{token_of(KEYRING, delivery_id)}"


async def mailed(ledger: Ledger, *, locale: str = "en", **changes: Any) -> DeliveryId:
    alert = await asked.alert(ledger, **changes)
    return await asked.delivery(ledger, alert, channel="email", address=MAIL, locale=locale)


async def seen(client: Client, path: str, status: int = 200) -> str:
    async with client.get(path) as answer:
        assert answer.status == status
        assert answer.content_type == "text/html"
        return await answer.text()


async def sent(client: Client, path: str, **form: str) -> tuple[int, str]:
    """Post a form; return the status, and where it leads or what it shows."""
    async with client.post(path, data=form, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


async def is_stopped(ledger: Ledger) -> bool:
    async with ledger.read() as db:
        return await suppressions.in_force(db, "email", MAIL) is not None
