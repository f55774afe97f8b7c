"""The first answer counts, later ones are kept, and whoever answers is not written to again."""

import asyncio

import pytest

from kentongan.alert import Option
from kentongan.delivery import State, Work
from kentongan.ids import AttemptRef, DeliveryId, new_delivery_id
from ledger.engine import Ledger, read_now
from ledger.responses import ACKNOWLEDGED, Addressed, addressed, respond
from tests.fakes import asked


async def answer(ledger: Ledger, delivery_id: DeliveryId, option: str, via: str = "sms") -> bool:
    async with ledger.write() as db:
        return await respond(db, delivery_id, option, via, await read_now(db))


async def seen(ledger: Ledger, delivery_id: DeliveryId) -> Addressed | None:
    async with ledger.read() as db:
        return await addressed(db, delivery_id)


async def test_first_answer_counts_and_later_ones_are_kept(ledger: Ledger) -> None:
    one = await asked.asked(ledger)

    counted = [await answer(ledger, one, key, via) for key, via in (("1", "sms"), ("2", "page"))]

    assert counted == [True, False]
    assert (await asked.row_of(ledger, one)).response == "1"
    assert await asked.answers(ledger, one) == [("1", "sms", True), ("2", "page", False)]


async def test_bare_acknowledgement_is_an_answer(ledger: Ledger) -> None:
    one = await asked.asked(ledger, options=())

    assert await answer(ledger, one, ACKNOWLEDGED, "page")
    assert not await answer(ledger, one, ACKNOWLEDGED, "voice")

    row = await asked.row_of(ledger, one)
    assert (row.response, row.state) == ("", State.ACKNOWLEDGED)


async def test_same_answer_told_again_leaves_no_second_row(ledger: Ledger) -> None:
    one = await asked.asked(ledger)

    for _ in range(3):
        await answer(ledger, one, "1")
    for option in ("2", "1", "1"):
        await answer(ledger, one, option)

    assert [option for option, _, _ in await asked.answers(ledger, one)] == ["1", "2", "1"]


async def test_of_many_answers_at_once_one_counts(ledger: Ledger) -> None:
    one = await asked.asked(ledger)

    counted = await asyncio.gather(*(answer(ledger, one, str(n % 2 + 1)) for n in range(6)))

    first = [option for option, _, first in await asked.answers(ledger, one) if first]
    assert sum(counted) == 1
    assert first == [(await asked.row_of(ledger, one)).response]


@pytest.mark.parametrize("work", [Work.RETRY_WAIT, Work.UNKNOWN])
async def test_answer_ends_what_would_be_tried_again(ledger: Ledger, work: Work) -> None:
    alert = await asked.alert(ledger)
    tries: list[dict[str, object]] = [{"outcome": "deferred"}, {"outcome": "unknown", "ask_at": 7}]
    one = await asked.delivery(ledger, alert, work=work, tries=tries)

    await answer(ledger, one, "1")

    row = await asked.row_of(ledger, one)
    assert (row.work, row.due_at, row.reason) == (Work.SETTLED, None, None)
    assert row.settled_at


async def test_answer_resolves_the_unknown_attempt_and_no_other(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    unknown = {"outcome": "unknown", "ask_at": 7}
    one = await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=[unknown, unknown])
    other = await asked.delivery(
        ledger, alert, address="+628111000002", work=Work.UNKNOWN, tries=[unknown]
    )

    await answer(ledger, one, "1")

    latest = await asked.attempt_row(ledger, AttemptRef(one, 2))
    assert (latest.resolution, latest.resolution_by, latest.ask_at) == ("settled", "response", None)
    for untouched in (AttemptRef(one, 1), AttemptRef(other, 1)):
        assert (await asked.attempt_row(ledger, untouched)).resolution is None


@pytest.mark.parametrize("work", [Work.PENDING, Work.ATTEMPTING, Work.FAILED, Work.STOPPED])
async def test_answer_moves_no_other_work(ledger: Ledger, work: Work) -> None:
    tries = [] if work is Work.PENDING else [{"outcome": "accepted"}]
    one = await asked.delivery(ledger, await asked.alert(ledger), work=work, tries=tries)

    await answer(ledger, one, "1")

    row = await asked.row_of(ledger, one)
    assert (row.work, row.state) == (work, State.ACKNOWLEDGED)


async def test_person_sees_what_was_asked_and_answered(ledger: Ledger) -> None:
    one = await asked.asked(ledger)
    await answer(ledger, one, "1")
    await answer(ledger, one, "2", "page")

    it = await seen(ledger, one)

    assert it
    assert (it.channel, it.address, it.locale) == ("sms", asked.PHONE, "id")
    assert it.answers == ("1", "2")
    assert it.alert.options == (asked.SAFE, asked.HELP)
    assert isinstance(it.alert.options[0], Option)
    assert not it.is_replaced
    assert await seen(ledger, new_delivery_id()) is None


async def test_person_sees_that_a_correction_exists(ledger: Ledger) -> None:
    original = await asked.alert(ledger)
    one = await asked.delivery(ledger, original)
    await asked.alert(ledger, corrects=original)

    it = await seen(ledger, one)

    assert it
    assert it.is_replaced
