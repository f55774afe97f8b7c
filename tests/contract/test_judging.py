"""The leader moves shares and opens circuits by what all workers saw; a window follows them."""

from collections import Counter
from typing import Any

import pytest

from channels import Providers
from kentongan.circuit import Circuit
from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused, Unknown
from kentongan.weights import at_rest
from ledger import providers, senders, tallies
from ledger.engine import Ledger
from ledger.tallies import Tally
from tests.fakes.hands import DullChannel
from workers.health import Health, Judge
from workers.routing import routes

MAIN, SECOND = ("sms", "main"), ("sms", "second")


def both() -> Providers:
    some = [DullChannel(), DullChannel()]
    for one, name in zip(some, ("main", "second"), strict=True):
        one.provider = name
    return Providers({"sms": some}, {"sms": at_rest({"main": 1, "second": 1})})


async def judged(ledger: Ledger, side: Providers, **seen: Tally) -> dict[str, Any]:
    """Return how both stand after the leader looked at what was seen."""
    async with ledger.write() as db:
        await providers.register(db, [MAIN, SECOND])
        await tallies.add(db, {("sms", name): tally for name, tally in seen.items()})
    await Judge(ledger).judge(side)
    async with ledger.read() as db:
        return {one.provider: one for one in await providers.standings(db)}


async def drawn(ledger: Ledger, side: Providers) -> Counter[str]:
    """Return whose turn it was in a thousand windows."""
    health = Health()
    await health.refresh(ledger, side)
    first = [await routes(ledger, health, side, "sms") for _ in range(1000)]
    return Counter(some[0].channel.provider for some in first if some)


async def test_fifty_errors_take_ten_points_and_no_more_within_a_minute(ledger: Ledger) -> None:
    side = both()
    stand = await judged(ledger, side, main=Tally(60, 50), second=Tally(60, 0))

    assert (stand["main"].share, stand["second"].share) == (40, 60)
    again = await judged(ledger, side, main=Tally(0, 50))
    assert again["main"].share == 40
    assert again["main"].circuit is Circuit.CLOSED


async def test_windows_follow_the_shares(ledger: Ledger) -> None:
    side = both()
    async with ledger.write() as db:
        await providers.register(db, [MAIN, SECOND])
        await providers.move(db, "sms", {"main": 10, "second": 90})

    found = await drawn(ledger, side)

    assert 40 <= found["main"] <= 180  # of a binomial with 100 expected: six sigmas and more
    assert found.total() == 1000


async def test_provider_through_which_nothing_gets_is_drawn_no_more(ledger: Ledger) -> None:
    side = both()
    stand = await judged(ledger, side, main=Tally(0, 10), second=Tally(1, 40))

    assert stand["main"].circuit is Circuit.OPEN
    assert stand["second"].circuit is Circuit.CLOSED
    assert await drawn(ledger, side) == {"second": 1000}


async def test_all_set_aside_leave_no_way_and_are_said_loudly(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    side = both()
    await judged(ledger, side, main=Tally(0, 10), second=Tally(0, 10))
    await judged(ledger, side)

    assert not await drawn(ledger, side)
    assert "all providers of a channel fail" in caplog.messages


async def test_sender_that_is_aside_is_not_among_the_ways(ledger: Ledger) -> None:
    side = both()
    async with ledger.write() as db:
        await senders.set_aside(db, (*MAIN, "+1500"), reason="sender", detail="")

    assert await drawn(ledger, side) == {"second": 1000}


@pytest.mark.parametrize(
    ("outcome", "tally"),
    [
        (Accepted(), Tally(1, 0)),
        (Refused(Reason.INVALID_ADDRESS), Tally(1, 0)),
        (Refused(Reason.SENDER), Tally(0, 0)),
        (Deferred(Reason.NO_CONNECTION), Tally(0, 1)),
        (Deferred(Reason.THROTTLED), Tally(0, 0)),
        (Deferred(Reason.MAILBOX_FULL), Tally(0, 0)),
        (Unknown(Reason.SERVER_ERROR), Tally(0, 1)),
        (Unknown(Reason.BUG), Tally(0, 0)),
    ],
)
async def test_outcomes_speak_for_or_against_their_provider(
    ledger: Ledger, outcome: Outcome, tally: Tally
) -> None:
    health, side = Health(), both()

    health.saw(side["sms"], [outcome])
    await health.refresh(ledger, side)

    async with ledger.read() as db:
        assert (await tallies.lately(db)).get(MAIN, Tally()) == tally
