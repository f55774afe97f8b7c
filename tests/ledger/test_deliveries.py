"""Deliveries are found by what they show, by whom they are for, and in order."""

from kentongan.delivery import PersonState, State, Work
from kentongan.recipient import Draft
from ledger import alert_people, deliveries, recipients
from ledger.deliveries import Filter
from ledger.delivery_story import story
from ledger.engine import Ledger, read_now
from ledger.responses import respond
from tests.fakes.running import Running, becomes, expanded, tried

PEOPLE = {
    "Siti": [("sms", "+62811"), ("email", "siti@example.org")],
    "Budi": [("sms", "+62812")],
    "Dewi": [("sms", "+62812")],
    "Wati": [],
}


async def found(ledger: Ledger, running: Running, which: Filter) -> set[str]:
    async with ledger.read() as db:
        page = await deliveries.page(db, running.alert.id, which, limit=100)
    return {one.address for one in page}


async def test_pages_follow_one_another_without_gap_or_repeat(ledger: Ledger) -> None:
    running = await expanded(ledger, {f"P{n}": [("sms", f"+6281{n}")] for n in range(7)})
    read: list[str] = []

    async with ledger.read() as db:
        page = await deliveries.page(db, running.alert.id, Filter(), limit=3)
        while page:
            read += [one.address for one in page]
            page = await deliveries.page(db, running.alert.id, Filter(), after=page[-1].id, limit=3)

    assert sorted(read) == [f"+6281{n}" for n in range(7)]


async def test_shared_telephone_names_all_its_people(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)

    async with ledger.read() as db:
        one = await deliveries.get(db, running.delivery("+62812"))

    assert one is not None
    assert [told.name for told in one.people] == ["Budi", "Dewi"]


async def test_filters_ask_for_what_is_shown(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    await becomes(ledger, running.delivery("+62811"), work=Work.FAILED, reason="unreachable")
    await becomes(ledger, running.delivery("+62812"), work=Work.STOPPED)

    waiting = Filter(states=[State.WAITING])
    stopped = Filter(states=[State.STOPPED], waiting_shows=State.STOPPED)
    nothing_waits = Filter(states=[State.WAITING], waiting_shows=State.STOPPED)
    assert await found(ledger, running, waiting) == {"siti@example.org"}
    assert await found(ledger, running, stopped) == {"siti@example.org", "+62812"}
    assert await found(ledger, running, nothing_waits) == set()
    assert await found(ledger, running, Filter(channels=["email"])) == {"siti@example.org"}
    assert await found(ledger, running, Filter(reasons=["unreachable"])) == {"+62811"}


async def test_people_are_found_by_id_and_by_the_beginning_of_their_name(ledger: Ledger) -> None:
    somebody = Draft(name="Siti Nurhàliza")
    async with ledger.write() as db:
        await recipients.add(db, [somebody], await read_now(db))
    running = await expanded(ledger, PEOPLE, recipients={"Siti": somebody.id})
    both = {"+62811", "siti@example.org"}

    assert await found(ledger, running, Filter(recipient=somebody.id)) == both
    assert await found(ledger, running, Filter(prefix="SITI NURHAL")) == both
    assert await found(ledger, running, Filter(prefix="iti")) == set()


async def test_addresses_are_searched_only_for_who_may_see_them(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)

    assert await found(ledger, running, Filter(prefix="+628", by_address=True)) == {
        "+62811",
        "+62812",
    }
    assert await found(ledger, running, Filter(prefix="+628")) == set()


async def test_people_show_their_best_state_and_can_be_asked_for_by_it(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    await becomes(ledger, running.delivery("+62811"), work=Work.FAILED)
    await becomes(ledger, running.delivery("siti@example.org"), work=Work.SETTLED, response="1")

    async with ledger.read() as db:
        everyone = await alert_people.page(
            db, running.alert.id, waiting_shows=State.WAITING, limit=10
        )
        unreached = await alert_people.page(
            db,
            running.alert.id,
            states=[PersonState.NOT_REACHED, PersonState.NO_CONTACT_POINT],
            waiting_shows=State.STOPPED,
            limit=10,
        )

    assert {one.name: one.state for one in everyone} == {
        "Siti": PersonState.ACKNOWLEDGED,
        "Budi": PersonState.WAITING,
        "Dewi": PersonState.WAITING,
        "Wati": PersonState.NO_CONTACT_POINT,
    }
    assert {one.name for one in unreached} == {"Budi", "Dewi", "Wati"}
    assert [way.state for way in everyone[0].ways] == [State.FAILED, State.ACKNOWLEDGED]


async def test_story_tells_attempts_in_order(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    delivery = running.delivery("+62811")
    for no, outcome in ((1, "deferred"), (2, "accepted")):
        await tried(
            ledger,
            running.alert.id,
            delivery,
            no=no,
            outcome=outcome,
            receipt=60 if no == 2 else 0,
            failed_once=True,
        )

    async with ledger.read() as db:
        told = await story(db, delivery)

    assert [(one.no, one.outcome, one.conflict) for one in told.tries] == [
        (1, "deferred", False),
        (2, "accepted", True),
    ]


async def test_people_are_found_by_the_first_answer_of_theirs(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    said = (("siti@example.org", "2"), ("+62811", "1"), ("siti@example.org", "3"), ("+62812", ""))
    for later, (address, option) in enumerate(said):
        async with ledger.write() as db:
            now = await read_now(db) + later
            await respond(db, running.delivery(address), option, "page", now)

    async def who(*options: str) -> dict[str, str | None]:
        async with ledger.read() as db:
            page = await alert_people.page(
                db,
                running.alert.id,
                responses=options,
                waiting_shows=State.WAITING,
                limit=10,
            )
        return {one.name: one.response for one in page}

    assert await who() == {"Siti": "2", "Budi": "", "Dewi": "", "Wati": None}
    assert await who("2") == {"Siti": "2"}
    assert await who("1", "3") == {}
    assert await who("", "2") == {"Siti": "2", "Budi": "", "Dewi": ""}
    # Each delivery has a first answer of its own.
    assert await found(ledger, running, Filter(responses=["1"])) == {"+62811"}
    assert await found(ledger, running, Filter(responses=["1", "2"])) == {
        "+62811",
        "siti@example.org",
    }
    assert await found(ledger, running, Filter(states=[State.SENT], responses=["1"])) == set()


async def test_whoever_was_not_reached_has_a_reason(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    await becomes(ledger, running.delivery("siti@example.org"), work=Work.SUPPRESSED)
    await becomes(ledger, running.delivery("+62811"), work=Work.FAILED, reason="unreachable")

    async with ledger.read() as db:
        page = await alert_people.page(db, running.alert.id, waiting_shows=State.STOPPED, limit=10)

    assert {one.name: one.reason for one in page} == {
        "Siti": "unreachable",
        "Budi": "stopped",
        "Dewi": "stopped",
        "Wati": None,
    }
    assert [way.reason for way in page[0].ways if way.channel == "email"] == ["suppressed"]


async def test_reason_of_one_way_is_not_that_of_somebody_reached(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    await becomes(ledger, running.delivery("+62811"), work=Work.FAILED, reason="unreachable")
    await becomes(ledger, running.delivery("siti@example.org"), work=Work.SETTLED, receipt=60)

    async with ledger.read() as db:
        page = await alert_people.page(
            db, running.alert.id, states=[PersonState.REACHED], waiting_shows=State.SENT, limit=10
        )

    assert [(one.name, one.reason) for one in page] == [("Siti", None)]
