"""A sender is set aside, has a day of its own, and is the one that a person wrote to."""

from ledger import senders
from ledger.engine import Ledger

FROM = ("sms", "main", "+15005550006")
OTHER = ("sms", "main", "+15005550007")


async def taken(ledger: Ledger, units: int, most: int = 10) -> int:
    async with ledger.write() as db:
        return await senders.take_of_day(db, FROM, units, most)


async def test_sender_with_a_fault_is_set_aside_once_and_others_are_not(ledger: Ledger) -> None:
    async with ledger.write() as db:
        was = [await senders.set_aside(db, FROM, reason="sender", detail="21606") for _ in range(2)]

    assert was == [True, False]
    async with ledger.read() as db:
        [aside] = await senders.aside(db)
    assert (aside.sender, aside.reason, aside.detail) == (FROM[2], "sender", "21606")


async def test_sender_is_tried_again_after_a_while_by_one_worker(
    ledger: Ledger, later: Ledger
) -> None:
    async with ledger.write() as db:
        await senders.set_aside(db, FROM, reason="sender", detail="")
        assert await senders.take_probes(db) == []
    async with later.write() as db:
        assert await senders.take_probes(db) == [FROM]
        assert await senders.take_probes(db) == []
        await senders.bring_back(db, FROM)
        assert await senders.aside(db) == []


async def test_day_gives_no_more_than_its_limit(ledger: Ledger) -> None:
    assert [await taken(ledger, 4) for _ in range(4)] == [4, 4, 2, 0]


async def test_units_that_were_not_used_are_given_back(ledger: Ledger) -> None:
    await taken(ledger, 10)

    async with ledger.write() as db:
        await senders.give_back_of_day(db, FROM, 3)
        await senders.give_back_of_day(db, OTHER, 3)

    assert await taken(ledger, 10) == 3


async def test_person_is_remembered_with_the_sender_they_last_wrote_to(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await senders.wrote(db, "sms", "+62811", provider="main", to="+1500")
        await senders.wrote(db, "sms", "+62811", provider="second", to="+1501")
        await senders.wrote(db, "sms", "+62812", provider="main", to="+1500")

    async with ledger.read() as db:
        assert await senders.talks_to(db, "sms", ["+62811", "+62813"]) == {
            "+62811": ("second", "+1501")
        }
        assert await senders.any_talks(db, ["sms", "voice"]) == {"sms"}
