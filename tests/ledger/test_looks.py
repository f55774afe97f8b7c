"""What the clock asks again is said once, and answered anew each time."""

import asyncio
import time

from sqlalchemy import literal, select

from ledger import senders
from ledger.dialect import db_now
from ledger.engine import Ledger
from ledger.looks import look

NOW = select(db_now(), literal("10 % of Nusa's :people"))


async def test_same_look_reads_the_clock_and_says_its_words_anew(ledger: Ledger) -> None:
    async with ledger.read() as db:
        [[first, said]] = await look(db, NOW)

    then, again, deadline = first, "", time.monotonic() + 10
    while then <= first and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
        async with ledger.read() as db:
            [[then, again]] = await look(db, NOW)

    assert then > first
    assert said == again == "10 % of Nusa's :people"


async def test_look_sees_what_was_committed_since_the_last(ledger: Ledger) -> None:
    async with ledger.read() as db:
        assert await senders.any_talks(db, ["sms", "voice"]) == frozenset()
        assert await senders.any_talks(db, []) == frozenset()

    async with ledger.write() as db:
        await senders.wrote(db, "voice", "+62811", provider="main", to="+1500")

    async with ledger.read() as db:
        assert await senders.any_talks(db, ["sms", "voice"]) == {"voice"}
        assert await senders.any_talks(db, ["sms"]) == frozenset()
