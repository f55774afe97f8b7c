"""The book: found again after a restart, even one in mid-line."""

from pathlib import Path

import pytest

from simulator.book import Book, Kind, Record
from tests.simulator.client import ending, practising
from tests.simulator.ear import eventually, listening


async def test_restarted_simulator_still_answers_for_what_it_accepted(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    async with practising(book_path=path) as client:
        _, message = await client.text(ending("0000"), Body="Banjir 🌊")
        await eventually(lambda: client.sim.book.get(1).status == "delivered")

    async with practising(book_path=path) as client:
        _, fetched = await client.get(f"Messages/{message['sid']}.json")
        _, page = await client.get("Messages.json", To=ending("0000"))

    assert (fetched["body"], fetched["status"]) == ("Banjir 🌊", "delivered")
    assert [each["sid"] for each in page["messages"]] == [message["sid"]]


async def test_message_on_its_way_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    async with listening() as ear:
        async with practising(book_path=path, callback_speed=0.01) as client:
            await client.text(ending("0000"), StatusCallback=ear.url)
            await client.call(ending("0000"), "<Response/>", StatusCallback=ear.url)

        async with practising(book_path=path):
            await eventually(lambda: len(ear.heard) == 3)

    assert ear.said("MessageStatus") == ["sent", "delivered"]
    assert ear.said("CallStatus") == ["failed"]


@pytest.mark.parametrize("torn", ['{"add": {"seq"', '{"change": 99, "to": ["sent", 1, 0]}', "[]"])
def test_torn_line_costs_its_own_change_and_no_other(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "book.jsonl"
    with Book(path) as book:
        book.add(Record(kind=Kind.SMS, id="SM1", to="+1", sender="+2", at=1.0))
    with path.open("a", encoding="utf-8") as file:
        file.write(torn)

    with Book(path) as book:
        book.add(Record(kind=Kind.SMS, id="SM2", to="+1", sender="+2", at=2.0))
    with Book(path) as book:
        assert [record.id for record in book.all()] == ["SM1", "SM2"]
        assert [record.seq for record in book.all()] == [1, 2]


def test_repeats_under_one_id_are_kept_apart() -> None:
    with Book() as book:
        for at in (1.0, 2.0):
            book.add(Record(kind=Kind.EMAIL, id="<a@b>", to="x@y", sender="", at=at))

        assert book.count(Kind.EMAIL, "x@y") == 2
        assert [record.at for record in book.newest(Kind.EMAIL, "x@y")] == [2.0, 1.0]
