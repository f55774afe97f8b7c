"""A worker under caps: what they hold back waits in bulk, and what was not sent costs nothing."""

import asyncio
from collections.abc import Iterator, Sequence

from kentongan.alert import Lane, Severity
from kentongan.caps import Caps
from kentongan.channel import Gate
from kentongan.message import Envelope
from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused
from kentongan.person_rate import parse
from kentongan.spending import ONE, Period, Prices
from ledger.caps import spent_by
from ledger.engine import Ledger, read_now
from tests.fakes.hands import DullChannel, working
from tests.fakes.running import Running
from tests.fakes.sending import crowd, landed, rows
from workers.turn import send_some

PRICED = Caps(prices=Prices.parse(["sms=1"]), currency="USD", most={Period.DAY: 3 * ONE})
ROUTINE = {"lane": Lane.ROUTINE, "severity": Severity.MINOR}


async def sent_all(ledger: Ledger, running: Running, channel: DullChannel, caps: Caps) -> None:
    """Have a worker send until nothing is left that is due."""
    async with working(ledger, channel, caps=caps) as run:
        async with asyncio.timeout(60):
            while (wait := await send_some(run, running.alert.id, "sms")) is not None:
                await asyncio.sleep(wait)
        await landed(run)


async def spent(ledger: Ledger) -> float:
    async with ledger.read() as db:
        return (await spent_by(db, PRICED, await read_now(db)))[Period.DAY] / ONE


async def stand(ledger: Ledger, running: Running) -> Sequence[tuple[str, str | None]]:
    return sorted((row.state, row.reason) for row in await rows(ledger, running))


async def test_all_that_cannot_be_paid_waits_at_once_however_slow_the_sender(
    ledger: Ledger,
) -> None:
    running, channel = await crowd(ledger, 40, **ROUTINE), DullChannel(rate=8)

    await sent_all(ledger, running, channel, PRICED)

    assert len(channel.sent) == 3
    assert await stand(ledger, running) == [
        *[("accepted", None)] * 3,
        *[("waiting", Reason.SPEND_CAP)] * 37,
    ]


async def test_extreme_goes_out_whole_when_all_is_spent(ledger: Ledger) -> None:
    await sent_all(ledger, await crowd(ledger, 5, **ROUTINE), DullChannel(), PRICED)
    extreme, channel = await crowd(ledger, 5, severity=Severity.EXTREME), DullChannel()

    await sent_all(ledger, extreme, channel, PRICED)

    assert len(channel.sent) == 5
    assert await spent(ledger) == 8


async def test_what_was_not_sent_costs_nothing(ledger: Ledger) -> None:
    answers: Iterator[Outcome] = iter(
        [Accepted("SM1"), Refused(Reason.NO_ROUTE), Deferred(Reason.THROTTLED)]
    )

    async def sending(_envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        return next(answers)

    running = await crowd(ledger, 3, **ROUTINE)

    await sent_all(ledger, running, DullChannel(sending), PRICED)

    assert await spent(ledger) == 1


async def test_those_who_had_enough_wait_and_the_others_are_told(ledger: Ledger) -> None:
    rated = Caps(person_rate=parse(["sms=1/10m"]))
    await sent_all(ledger, await crowd(ledger, 2, **ROUTINE), DullChannel(), rated)
    running, channel = await crowd(ledger, 5, **ROUTINE), DullChannel(rate=8)

    await sent_all(ledger, running, channel, rated)

    assert sorted(channel.sent) == ["+2", "+3", "+4"]
    assert await stand(ledger, running) == [
        *[("accepted", None)] * 3,
        *[("waiting", Reason.PERSON_RATE)] * 2,
    ]
