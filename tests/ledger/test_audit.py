"""Deeds are linked in order, and whoever changes the record afterwards is found."""

import asyncio

import pytest
from sqlalchemy import text

from kentongan.keyring import Keyring
from ledger import audit
from ledger.engine import Ledger

KEYRING = Keyring(["a secret key of thirty-two letters or more"])


async def noted(ledger: Ledger, count: int) -> None:
    async with ledger.write() as db:
        for number in range(count):
            await audit.add(
                db,
                actor="key_1",
                action="alert.stop",
                subject=f"alr_{number}",
                detail={"n": number},
            )


async def test_every_deed_is_linked_once_also_by_two_leaders(ledger: Ledger) -> None:
    await noted(ledger, 7)

    await asyncio.gather(*(audit.chain_all(ledger, KEYRING) for _ in range(3)))
    head = await audit.chain_all(ledger, KEYRING)

    verdict = await audit.verify(ledger, KEYRING)
    assert verdict.is_sound
    assert (verdict.links, verdict.unlinked, verdict.head) == (7, 0, head)


async def test_chain_goes_on_under_a_new_key(ledger: Ledger) -> None:
    await noted(ledger, 2)
    await audit.chain_all(ledger, KEYRING)
    renewed = Keyring(
        [
            "another secret key of thirty-two letters",
            *("a secret key of thirty-two letters or more",),
        ]
    )

    await noted(ledger, 2)
    await audit.chain_all(ledger, renewed)

    assert (await audit.verify(ledger, renewed)).links == 4
    assert (await audit.verify(ledger, KEYRING)).broken_at == 3


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET actor = 'key_2' WHERE subject = 'alr_2'",
        "UPDATE audit SET detail = '{\"n\": 9}' WHERE subject = 'alr_2'",
        "UPDATE audit SET at = at + 1 WHERE subject = 'alr_2'",
        "DELETE FROM audit_chain WHERE seq = 3",
        "UPDATE audit_chain SET mac = 'x' WHERE seq = 3",
    ],
)
async def test_tampering_is_found_where_it_happened(ledger: Ledger, tampering: str) -> None:
    await noted(ledger, 5)
    await audit.chain_all(ledger, KEYRING)

    async with ledger.write() as db:
        await db.execute(text(tampering.replace(": 9", r"\: 9")))

    verdict = await audit.verify(ledger, KEYRING)
    assert verdict.broken_at == 3
    assert verdict.links == 2


async def test_long_chain_is_linked_and_read_in_pages(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 3)
    await noted(ledger, 10)

    await audit.chain_all(ledger, KEYRING)

    assert (await audit.verify(ledger, KEYRING)).links == 10
