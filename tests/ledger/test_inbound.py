"""What people send is kept once, understood where it can be, and else left for a human."""

from collections.abc import Collection
from itertools import count

import pytest

from kentongan.alert import Mode
from kentongan.delivery import Work
from kentongan.ids import AttemptRef, DeliveryId, new_delivery_id
from kentongan.receipt import RANK, Inbound, Pressed, ReceiptKind
from ledger import suppressions
from ledger.engine import Ledger, read_now
from ledger.inbound import GRACE, Meaning, hear, press
from tests.fakes import asked

REAL = frozenset({Mode.ACTUAL, Mode.EXERCISE})
PRACTICE = frozenset({Mode.TEST})
_ids = count()


async def sms(
    ledger: Ledger,
    body: str,
    *,
    modes: Collection[Mode] = REAL,
    address: str = asked.PHONE,
    provider_id: str = "",
) -> Meaning:
    said = Inbound(
        address=address,
        to="+15005550006",
        body=body,
        provider_id=provider_id or f"SM{next(_ids):032}",
    )
    async with ledger.write() as db:
        return await hear(db, "sms", said, modes=modes, now=await read_now(db))


async def key(
    ledger: Ledger,
    delivery_id: DeliveryId,
    pressed: str,
    *,
    modes: Collection[Mode] = REAL,
    call: str | None = "CA1",
    no: int = 1,
) -> Meaning:
    said = Pressed(attempt=AttemptRef(delivery_id, no), key=pressed, provider_id=call)
    async with ledger.write() as db:
        return await press(db, "voice", said, modes=modes, now=await read_now(db))


async def is_suppressed(ledger: Ledger, address: str = asked.PHONE) -> bool:
    async with ledger.read() as db:
        return await suppressions.in_force(db, "sms", address) is not None


async def suppress(ledger: Ledger, made_by: str) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        await suppressions.suppress(db, "sms", asked.PHONE, reason="x", made_by=made_by, now=now)


async def test_digit_answers_the_alert_that_asked(ledger: Ledger) -> None:
    one = await asked.asked(ledger)

    assert await sms(ledger, " (2). ") is Meaning.RESPONSE

    assert await asked.answers(ledger, one) == [("2", "sms", True)]
    assert await asked.messages(ledger) == [(" (2). ", "response", one)]


async def test_message_told_a_hundred_times_is_one(ledger: Ledger) -> None:
    one = await asked.asked(ledger)

    told = [await sms(ledger, "1", provider_id="SM1") for _ in range(20)]

    assert told == [Meaning.RESPONSE] + [Meaning.REPEATED] * 19
    assert len(await asked.messages(ledger)) == 1
    assert len(await asked.answers(ledger, one)) == 1


async def test_latest_alert_that_knows_the_answer_gets_it(ledger: Ledger) -> None:
    earlier = await asked.asked(ledger)
    later = await asked.asked(ledger, options=(asked.SAFE,))
    await asked.asked(ledger, options=())

    await sms(ledger, "1")
    await sms(ledger, "2")

    assert [o for o, _, _ in await asked.answers(ledger, later)] == ["1"]
    assert [o for o, _, _ in await asked.answers(ledger, earlier)] == ["2"]


async def test_answer_after_the_alert_is_over_waits_for_a_human(ledger: Ledger) -> None:
    just_over = await asked.asked(ledger, lives=-60)
    await asked.asked(ledger, lives=-GRACE - 60, options=(asked.HELP,))

    assert await sms(ledger, "1") is Meaning.RESPONSE
    assert (await asked.row_of(ledger, just_over)).response == "1"
    assert await sms(ledger, "3") is Meaning.UNREAD


async def test_answer_never_falls_to_what_was_not_sent(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    await asked.delivery(ledger, alert, work=Work.PENDING, tries=[])

    assert await sms(ledger, "1") is Meaning.UNREAD


async def test_answer_of_another_contact_point_changes_nothing(ledger: Ledger) -> None:
    one = await asked.asked(ledger)

    assert await sms(ledger, "1", address="+628111000009") is Meaning.UNREAD

    assert (await asked.row_of(ledger, one)).response is None


@pytest.mark.parametrize("body", ["Stop the alarm!", "HELP", "where?", "", "7", "yes", "1" * 5000])
async def test_everything_else_is_kept_for_a_human(ledger: Ledger, body: str) -> None:
    await asked.asked(ledger)

    assert await sms(ledger, body) is Meaning.UNREAD

    assert await asked.messages(ledger) == [(body, "unread", None)]
    assert not await is_suppressed(ledger)


async def test_stop_word_suppresses_and_ends_what_waits(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    waiting = await asked.delivery(ledger, alert, work=Work.PENDING, tries=[])

    assert await sms(ledger, "Stop!") is Meaning.STOP

    assert await is_suppressed(ledger)
    assert (await asked.row_of(ledger, waiting)).work == Work.SUPPRESSED
    assert await asked.messages(ledger) == [("Stop!", "stop", None)]


@pytest.mark.parametrize("made_by", ["recipient", "provider"])
async def test_start_word_lifts_what_the_person_wanted(ledger: Ledger, made_by: str) -> None:
    await suppress(ledger, made_by)

    assert await sms(ledger, "START") is Meaning.START

    assert not await is_suppressed(ledger)


async def test_start_word_does_not_lift_what_an_officer_decided(ledger: Ledger) -> None:
    await suppress(ledger, "key_1")

    assert await sms(ledger, "START") is Meaning.UNREAD

    assert await is_suppressed(ledger)


async def test_simulator_speaks_of_tests_alone(ledger: Ledger) -> None:
    test = await asked.asked(ledger, mode=Mode.TEST)
    real = await asked.asked(ledger)

    assert await sms(ledger, "1", modes=PRACTICE) is Meaning.RESPONSE
    assert await sms(ledger, "STOP", modes=PRACTICE) is Meaning.UNREAD
    await suppress(ledger, "recipient")
    assert await sms(ledger, "START", modes=PRACTICE) is Meaning.UNREAD

    assert (await asked.row_of(ledger, test)).response == "1"
    assert (await asked.row_of(ledger, real)).response is None
    assert await is_suppressed(ledger)


async def test_real_carrier_answers_no_test(ledger: Ledger) -> None:
    await asked.asked(ledger, mode=Mode.TEST)

    assert await sms(ledger, "1") is Meaning.UNREAD


async def called(ledger: Ledger, **columns: object) -> DeliveryId:
    return await asked.delivery(
        ledger,
        await asked.alert(ledger),
        channel="voice",
        tries=[{"outcome": "accepted", **columns}],
    )


async def test_key_pressed_is_the_answer(ledger: Ledger) -> None:
    one = await called(ledger, provider_id="CA1")

    assert await key(ledger, one, "2") is Meaning.RESPONSE
    assert await key(ledger, one, "2") is Meaning.RESPONSE

    assert await asked.answers(ledger, one) == [("2", "voice", True)]


async def test_key_that_nobody_offered_is_no_answer(ledger: Ledger) -> None:
    one = await called(ledger)

    assert await key(ledger, one, "9") is Meaning.UNREAD

    assert await asked.answers(ledger, one) == []


@pytest.mark.parametrize(("pressed", "answers"), [("1", [("", "voice", True)]), ("2", [])])
async def test_key_one_acknowledges_where_nothing_was_asked(
    ledger: Ledger, pressed: str, answers: list[tuple[str, str, bool]]
) -> None:
    alert = await asked.alert(ledger, options=())
    one = await asked.delivery(ledger, alert, channel="voice")

    await key(ledger, one, pressed)

    assert await asked.answers(ledger, one) == answers


async def test_machine_acknowledges_nothing(ledger: Ledger) -> None:
    one = await called(ledger, receipt=RANK[ReceiptKind.MACHINE])

    assert await key(ledger, one, "1") is Meaning.UNREAD


async def test_key_of_another_call_attempt_channel_or_mode_is_no_answer(ledger: Ledger) -> None:
    one = await called(ledger, provider_id="CA1")
    text = await asked.asked(ledger)

    assert await key(ledger, one, "1", call="CA2") is Meaning.UNREAD
    assert await key(ledger, one, "1", no=2) is Meaning.UNREAD
    assert await key(ledger, one, "1", modes=PRACTICE) is Meaning.UNREAD
    assert await key(ledger, text, "1") is Meaning.UNREAD
    assert await key(ledger, new_delivery_id(), "1") is Meaning.UNREAD

    assert await asked.answers(ledger, one) == []
