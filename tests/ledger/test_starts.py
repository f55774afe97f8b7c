"""An expansion of which worker after worker dies is set aside; one that goes on never is."""

from kentongan.audience import Audience
from ledger import dead_letters, leases, starts
from ledger.dead_letters import Which
from ledger.engine import Ledger
from ledger.starts import Start
from tests.fakes.expanding import accepted, expand_all


async def begun(ledger: Ledger, alert: str, *, dies: bool) -> bool:
    """Begin an expansion as a fresh worker; return whether it may."""
    async with ledger.write() as db:
        worker = await leases.begin(db, "here")
    async with ledger.write() as db:
        may = await starts.begin(db, alert, worker) is Start.BEGUN
    async with ledger.write() as db:
        if not dies:
            await starts.end(db, alert, worker)
        await leases.end(db, worker)
    return may


async def aside(ledger: Ledger, alert: str) -> bool:
    async with ledger.read() as db:
        return (await starts.look(db, alert)).is_aside


async def test_fourth_start_after_three_deaths_sets_it_aside(ledger: Ledger) -> None:
    alert = (await accepted(ledger, Audience())).id

    may = [await begun(ledger, alert, dies=True) for _ in range(4)]

    assert may == [True, True, True, False]
    assert await aside(ledger, alert)


async def test_worker_that_lives_to_end_takes_back_what_was_counted(ledger: Ledger) -> None:
    alert = (await accepted(ledger, Audience())).id

    for _ in range(5):
        assert await begun(ledger, alert, dies=True)
        assert await begun(ledger, alert, dies=False)

    assert not await aside(ledger, alert)


async def test_page_that_was_written_takes_back_what_was_counted(ledger: Ledger) -> None:
    made = await accepted(ledger, Audience())
    for _ in range(3):
        await begun(ledger, made.id, dies=True)

    await expand_all(ledger, made)

    assert await begun(ledger, made.id, dies=True)


async def test_replay_of_the_alert_begins_its_expansion_again(ledger: Ledger) -> None:
    alert = (await accepted(ledger, Audience())).id
    for _ in range(4):
        await begun(ledger, alert, dies=True)

    async with ledger.write() as db:
        again = await dead_letters.start_again(db, Which(alert=alert))

    assert again == [alert]
    assert await begun(ledger, alert, dies=True)


async def test_worker_that_dies_beside_many_expansions_is_held_against_none_that_ends_alone(
    ledger: Ledger,
) -> None:
    many = [(await accepted(ledger, Audience())).id for _ in range(4)]

    async def life(*, dies: bool) -> list[Start]:
        """Begin all of them in one worker, as when it starts; end what was begun, or die of it."""
        async with ledger.write() as db:
            worker = await leases.begin(db, "here")
        answers = []
        for alert in many:
            async with ledger.write() as db:
                answers.append(await starts.begin(db, alert, worker))
        async with ledger.write() as db:
            if not dies:
                for alert in many:
                    await starts.end(db, alert, worker)
            await leases.end(db, worker)
        return answers

    first = await life(dies=True)
    second = await life(dies=True)
    third = await life(dies=True)
    await life(dies=True)

    assert first == [Start.BEGUN] * 4
    assert second == [Start.BEGUN, *[Start.WAITS] * 3]
    assert third == second
    assert [await aside(ledger, alert) for alert in many] == [True, False, False, False]
