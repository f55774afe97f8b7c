"""What people say through a provider: done before the answer, once, and never by a machine."""

from collections.abc import AsyncIterator

import pytest

from kentongan.alert import Mode
from kentongan.delivery import State, Work
from kentongan.ids import AttemptRef
from ledger import suppressions
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes import asked
from tests.fakes.callbacks import (
    PRACTICE_TOKEN,
    TOKEN,
    channels_of,
    inbound_form,
    rung,
    told,
    two_sided,
)
from tests.fakes.house import Client, made_house, serving


@pytest.fixture
async def house(ledger: Ledger) -> AsyncIterator[House]:
    async with two_sided(ledger) as ready:
        yield ready


async def test_stop_is_suppressed_before_the_answer(client: Client, ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    waiting = await asked.delivery(ledger, alert, work=Work.PENDING, tries=[])

    answer = await told(client, "/callbacks/sms/inbound", inbound_form("stop"))

    assert answer == (200, "text/xml", "<Response/>")
    assert (await asked.row_of(ledger, waiting)).work == Work.SUPPRESSED
    async with ledger.read() as db:
        there = await suppressions.in_force(db, "sms", asked.PHONE)
    assert there
    assert (there.made_by, there.reason) == ("recipient", "stop_word")


async def test_reply_is_the_answer_and_told_again_it_is_nothing_new(
    client: Client, house: House, ledger: Ledger
) -> None:
    one = await asked.asked(ledger)

    for _ in range(5):
        answer = await told(client, "/callbacks/sms/inbound", inbound_form("1"))
        assert answer == (200, "text/xml", "<Response/>")

    assert await asked.answers(ledger, one) == [("1", "sms", True)]
    assert len(await asked.messages(ledger)) == 1
    assert all(event.joined_at for event in await asked.kept(ledger))
    assert rung(house) == []


async def test_what_nobody_understands_is_kept_for_a_human(client: Client, ledger: Ledger) -> None:
    await told(client, "/callbacks/sms/inbound", inbound_form("Di mana posko?\0 😀"))

    assert await asked.messages(ledger) == [("Di mana posko?\ufffd 😀", "unread", None)]


async def called(ledger: Ledger, **columns: object) -> tuple[str, str]:
    alert = await asked.alert(ledger)
    tries = [{"outcome": "accepted", **columns}]
    one = await asked.delivery(ledger, alert, channel="voice", tries=tries)
    return one, f"/callbacks/voice/gather?d={AttemptRef(one, 1)}&l=flash&lang=id"


async def test_pressed_key_is_the_answer_and_is_thanked_for(client: Client, ledger: Ledger) -> None:
    one, target = await called(ledger)

    status, kind, twiml = await told(
        client, target, {"CallSid": "CA1", "Digits": "2", "AnsweredBy": "human"}
    )

    assert (status, kind) == (200, "text/xml")
    assert "Terima kasih" in twiml
    assert (await asked.row_of(ledger, one)).state == State.ACKNOWLEDGED
    assert await asked.answers(ledger, one) == [("2", "voice", True)]


@pytest.mark.parametrize("who", ["machine_start", "machine_end_beep", "fax"])
async def test_machine_is_never_an_answer(client: Client, ledger: Ledger, who: str) -> None:
    one, target = await called(ledger)

    status, _, _ = await told(client, target, {"CallSid": "CA1", "Digits": "1", "AnsweredBy": who})

    assert status == 200
    assert await asked.answers(ledger, one) == []
    assert len(await asked.kept(ledger)) == 1


async def test_simulator_answers_tests_and_nothing_real(client: Client, ledger: Ledger) -> None:
    real = await asked.asked(ledger)
    test = await asked.asked(ledger, mode=Mode.TEST)

    first = await told(
        client, "/callbacks/sms/inbound", inbound_form("1", "SM1"), token=PRACTICE_TOKEN
    )
    await told(client, "/callbacks/sms/inbound", inbound_form("STOP", "SM2"), token=PRACTICE_TOKEN)

    assert first[0] == 200
    assert (await asked.row_of(ledger, test)).response == "1"
    assert (await asked.row_of(ledger, real)).response is None
    async with ledger.read() as db:
        assert await suppressions.in_force(db, "sms", asked.PHONE) is None


async def test_deployment_that_only_practises_is_told_of_both(ledger: Ledger) -> None:
    only = channels_of(made_house(ledger), TOKEN)
    one = await asked.asked(ledger, mode=Mode.TEST)
    two = await asked.asked(ledger, options=(asked.HELP,))

    async with serving(made_house(ledger, channels=only, practising=only)) as client:
        await told(client, "/callbacks/sms/inbound", inbound_form("1", "SM1"))
        await told(client, "/callbacks/sms/inbound", inbound_form("2", "SM2"))
    for channel in only.values():
        await channel.close()

    assert (await asked.row_of(ledger, one)).response == "1"
    assert (await asked.row_of(ledger, two)).response == "2"
