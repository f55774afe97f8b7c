"""Whatever becomes of an alert, its counts add up, and its state follows from them."""

from kentongan.alert import AlertState, Control, Mode
from kentongan.clock import Micros, seconds
from kentongan.delivery import Cause, PersonState, State, Work
from kentongan.ids import KeyId
from ledger import alerts, counts, overviews
from ledger.counts import Counted, Counts
from ledger.engine import Ledger, read_now
from ledger.overviews import Overview
from ledger.responses import ACKNOWLEDGED, respond
from tests.fakes.running import Running, an_alert, becomes, expanded, tried

PEOPLE = {
    "Siti": [("sms", "+62811"), ("email", "siti@example.org")],
    "Budi": [("sms", "+62812")],
    "Dewi": [("sms", "+62812")],  # shares Budi's telephone
    "Wati": [],
    "Adi": [("voice", "+62815")],
}


async def seen(ledger: Ledger, running: Running) -> Overview:
    async with ledger.read() as db:
        found = await overviews.get(db, running.alert.id)
    assert found is not None
    return found


async def counted(ledger: Ledger, running: Running) -> Counts:
    standing = await seen(ledger, running)
    async with ledger.read() as db:
        return await counts.count(db, running.alert.id, waiting_shows=standing.waiting_shows)


async def ordered(ledger: Ledger, running: Running, control: Control) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        assert await alerts.set_control(db, running.alert.id, control, by="key_x", now=now)


async def test_everyone_is_counted_once_and_in_their_best_state(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    await becomes(ledger, running.delivery("+62811"), work=Work.FAILED, receipt=50)
    await becomes(ledger, running.delivery("siti@example.org"), work=Work.SETTLED, receipt=60)
    await becomes(ledger, running.delivery("+62812"), work=Work.SETTLED, receipt=40)

    found = await counted(ledger, running)

    assert found.channels == {
        "sms": {State.FAILED: 1, State.SENT: 1},
        "email": {State.DELIVERED: 1},
    }
    assert found.people == {
        PersonState.REACHED: 1,
        PersonState.HANDED_OVER: 2,
        PersonState.NO_CONTACT_POINT: 2,
    }
    assert found.causes == {Cause.NO_CONTACT_POINT: 1, Cause.NO_POINT_ON_CHANNELS: 1}
    assert found.total_people == len(PEOPLE)


async def test_people_with_one_delivery_each_are_counted_alike(ledger: Ledger) -> None:
    each = {"Siti": [("sms", "+62811")], "Budi": [("sms", "+62812")], "Adi": [("sms", "+62813")]}
    running = await expanded(ledger, {**each, "Wati": [], "Dewi": [("voice", "+62814")]})
    await becomes(ledger, running.delivery("+62811"), work=Work.SETTLED, receipt=60)
    await ordered(ledger, running, Control.STOPPED)

    found = await counted(ledger, running)

    assert found.channels == {"sms": {State.DELIVERED: 1, State.STOPPED: 2}}
    assert found.people == {
        PersonState.REACHED: 1,
        PersonState.NOT_REACHED: 2,
        PersonState.NO_CONTACT_POINT: 2,
    }
    assert found.causes == {Cause.NO_CONTACT_POINT: 1, Cause.NO_POINT_ON_CHANNELS: 1}


async def test_who_shares_a_delivery_and_has_another_is_counted_once(ledger: Ledger) -> None:
    # As many deliveries as people and as links but one: sharing and having two nearly cancel out.
    people = {
        "Siti": [("sms", "+62811"), ("email", "siti@example.org")],
        "Budi": [("sms", "+62811")],
    }
    running = await expanded(ledger, people)
    await becomes(ledger, running.delivery("siti@example.org"), work=Work.SETTLED, receipt=60)

    found = await counted(ledger, running)

    assert found.people == {PersonState.REACHED: 1, PersonState.WAITING: 1}


async def test_what_waits_counts_as_stopped_before_its_row_says_so(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    await becomes(ledger, running.delivery("+62811"), work=Work.ATTEMPTING)
    await ordered(ledger, running, Control.STOPPED)

    found = await counted(ledger, running)

    assert found.channels["sms"] == {State.SENDING: 1, State.STOPPED: 1}
    assert found.people[PersonState.WAITING] == 1  # what is being sent may yet arrive
    assert found.people[PersonState.NOT_REACHED] == 2


async def test_what_waits_counts_as_expired_before_its_row_says_so(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE, expires_at=Micros(1))

    found = await counted(ledger, running)

    assert (await seen(ledger, running)).state is AlertState.EXPIRED
    assert found.channels == {"sms": {State.EXPIRED: 2}, "email": {State.EXPIRED: 1}}
    assert found.people[PersonState.NOT_REACHED] == 3


async def test_alert_nobody_was_found_for_has_no_counts(ledger: Ledger) -> None:
    running = await expanded(ledger, {})

    found = await counted(ledger, running)

    assert (found.channels, found.people, found.total_people) == ({}, {}, 0)
    assert (await seen(ledger, running)).state is AlertState.SENT


async def test_state_follows_the_deliveries(ledger: Ledger) -> None:
    running = await expanded(ledger, {"Siti": [("sms", "+62811")]})
    delivery = running.delivery("+62811")
    shown = [(await seen(ledger, running)).state]

    for work in (Work.ATTEMPTING, Work.RETRY_WAIT, Work.SETTLED):
        await becomes(ledger, delivery, work=work)
        shown.append((await seen(ledger, running)).state)

    assert shown == [AlertState.SENDING] * 3 + [AlertState.SENT]


async def test_unknown_holds_an_alert_up_while_somebody_is_asked(ledger: Ledger) -> None:
    running = await expanded(ledger, {"Siti": [("sms", "+62811")]})
    other = await expanded(ledger, {"Siti": [("sms", "+62811")]})
    for one, ask_at in ((running, 1), (other, None)):
        delivery = one.delivery("+62811")
        await becomes(ledger, delivery, work=Work.UNKNOWN)
        await tried(ledger, one.alert.id, delivery, outcome="unknown", ask_at=ask_at)

    assert (await seen(ledger, running)).state is AlertState.SENDING
    assert (await seen(ledger, other)).state is AlertState.SENT


async def test_orders_and_times_come_before_deliveries(ledger: Ledger) -> None:
    later = Micros((await ledger.now()) + seconds(600))
    paused = await expanded(ledger, PEOPLE)
    await ordered(ledger, paused, Control.PAUSED)
    ended = await expanded(ledger, {"Siti": [("sms", "+62811")]}, expires_at=Micros(1))
    await becomes(ledger, ended.delivery("+62811"), work=Work.SETTLED)
    async with ledger.write() as db:
        waiting = an_alert(await read_now(db), send_at=later)
        fresh = an_alert(await read_now(db))
        await alerts.add(db, waiting, expand_at=later)
        await alerts.add(db, fresh, expand_at=fresh.accepted_at)
        scheduled = await overviews.get(db, waiting.id)
        expanding = await overviews.get(db, fresh.id)

    assert (await seen(ledger, paused)).state is AlertState.PAUSED
    assert (await seen(ledger, ended)).state is AlertState.ENDED
    assert scheduled is not None
    assert scheduled.state is AlertState.SCHEDULED
    assert expanding is not None
    assert expanding.state is AlertState.EXPANDING


async def test_count_is_kept_and_an_older_one_does_not_replace_it(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    found = await counted(ledger, running)
    now = await ledger.now()

    async with ledger.write() as db:
        for at in (now, now - seconds(5)):
            await counts.keep(db, running.alert.id, Counted(counts=found, at=at, took=7))

    kept = (await seen(ledger, running)).counted
    assert kept == Counted(counts=found, at=now, took=7)
    assert kept is not None
    assert kept.is_good(now + 69)
    assert not kept.is_good(now + 70)


async def test_list_is_the_latest_first_and_filtered(ledger: Ledger) -> None:
    mine = KeyId("key_" + "1" * 26)
    first = await expanded(ledger, {})
    second = await expanded(ledger, PEOPLE, mode=Mode.TEST, made_by=mine)
    third = await expanded(ledger, {})

    async with ledger.read() as db:
        everything = [one.id for one in await overviews.page(db, limit=10)]
        older = [one.id for one in await overviews.page(db, before=third.alert.id, limit=1)]
        tests = [one.id for one in await overviews.page(db, mode=Mode.TEST, limit=10)]
        sent = [one.id for one in await overviews.page(db, state=AlertState.SENT, limit=10)]
        own = [one.id for one in await overviews.page(db, made_by=mine, limit=10)]

    assert everything == [third.alert.id, second.alert.id, first.alert.id]
    assert older == tests == own == [second.alert.id]
    assert sent == [third.alert.id, first.alert.id]


async def test_people_count_by_the_first_answer_of_theirs(ledger: Ledger) -> None:
    running = await expanded(ledger, PEOPLE)
    said = (("siti@example.org", "2"), ("+62811", "1"), ("+62811", "3"), ("+62812", ACKNOWLEDGED))
    for later, (address, option) in enumerate(said):
        async with ledger.write() as db:
            now = await read_now(db) + later
            await respond(db, running.delivery(address), option, "page", now)

    found = await counted(ledger, running)

    # Siti said 2 by e-mail before she said 1; Budi and Dewi share a telephone.
    assert found.answers == {"2": 1, ACKNOWLEDGED: 2}
    assert sum(found.answers.values()) == found.people[PersonState.ACKNOWLEDGED]
    assert Counts.from_json(found.to_json()) == found


def test_count_that_was_kept_before_answers_were_is_still_read() -> None:
    kept = {"channels": {}, "people": {"reached": 2}, "causes": {}}

    assert Counts.from_json(kept).answers == {}
