"""Outcomes wait together to be written, and nothing new is claimed while they are behind."""

import asyncio

from sqlalchemy import func, select

from kentongan.channel import Gate
from kentongan.message import Envelope
from kentongan.outcome import Accepted, Outcome
from ledger.dialect import lock_alert
from ledger.engine import Ledger
from ledger.schema import attempts
from tests.fakes.hands import DullChannel, working
from tests.fakes.sending import crowd, landed
from workers.landing import Landing
from workers.runtime import Runtime
from workers.turn import send_some


async def outcomes(ledger: Ledger, alert: str) -> list[str | None]:
    async with ledger.read() as db:
        query = select(attempts.c.outcome).where(attempts.c.alert_id == alert)
        return list((await db.execute(query)).scalars())


def is_behind(landing: Landing) -> bool:
    return landing.is_behind


async def send_all(run: Runtime, alert: str) -> None:
    async with asyncio.timeout(30):
        while (wait := await send_some(run, alert, "sms")) is not None:
            await asyncio.sleep(wait)


async def test_nothing_is_claimed_while_outcomes_cannot_be_written(ledger: Ledger) -> None:
    first, second = await crowd(ledger, 5), await crowd(ledger, 5)
    may_end = asyncio.Event()

    async def slowly(envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        await may_end.wait()
        return Accepted(envelope.address)

    async with working(ledger, DullChannel(slowly)) as run:
        landing = run.landings[first.alert.lane]
        await send_all(run, first.alert.id)
        async with ledger.write() as db:
            await lock_alert(db, first.alert.id, exclusive=True)  # and SQLite's only writer
            may_end.set()
            async with asyncio.timeout(30):
                while not is_behind(landing):
                    await asyncio.sleep(0.05)
            assert await send_some(run, second.alert.id, "sms")
            assert await outcomes(ledger, second.alert.id) == []
        await landed(run)
        assert not is_behind(landing)
        await send_all(run, second.alert.id)
        await landed(run)

    assert await outcomes(ledger, first.alert.id) == ["accepted"] * 5
    assert await outcomes(ledger, second.alert.id) == ["accepted"] * 5


async def test_outcomes_of_many_windows_that_waited_are_all_written(ledger: Ledger) -> None:
    some = [await crowd(ledger, 40) for _ in range(8)]
    async with working(ledger, DullChannel(rate=1_000_000)) as run:
        await asyncio.gather(*(send_all(run, running.alert.id) for running in some))
        await landed(run)

    async with ledger.read() as db:
        query = select(attempts.c.outcome, func.count()).group_by(attempts.c.outcome)
        assert [tuple(row) for row in await db.execute(query)] == [("accepted", 320)]
