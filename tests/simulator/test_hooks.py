"""The webhook listener: what it answers by which name, and what it remembers."""

import asyncio

import aiohttp
import pytest

from tests.simulator.client import Client, practising


async def post(client: Client, name: str, webhook_id: str = "msg_1") -> int:
    async with client.session.post(
        f"{client.sim.url}/hook/{name}",
        data=b'{"headline":"Banjir"}',
        headers={"webhook-id": webhook_id},
        allow_redirects=False,
    ) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("ok", 200),
        ("ok/north", 200),
        ("204", 204),
        ("410", 410),
        ("429", 429),
        ("500", 500),
        ("503", 503),
        ("redirect", 302),
        ("pump.example.org", 200),
    ],
)
async def test_hook_answers_by_its_name(name: str, status: int) -> None:
    async with practising() as client:
        assert await post(client, name) == status


async def test_hook_that_was_away_is_back_for_the_same_webhook() -> None:
    async with practising() as client:
        ids = ["msg_1", "msg_1", "msg_2"]

        assert [await post(client, "503-then-ok", each) for each in ids] == [503, 200, 503]


async def test_accepted_webhooks_are_seen_with_their_headers_and_refused_ones_are_not() -> None:
    async with practising() as client:
        await post(client, "503", "msg_1")
        await post(client, "ok", "msg_2")
        seen = await client.seen(kind="webhook")

        assert [each["id"] for each in seen] == ["msg_2"]
        assert seen[0]["text"] == '{"headline":"Banjir"}'
        assert seen[0]["headers"]["webhook-id"] == "msg_2"


@pytest.mark.parametrize("name", ["close", "garbage"])
async def test_hook_hears_and_breaks_the_connection(name: str) -> None:
    async with practising() as client:
        with pytest.raises(aiohttp.ClientError):
            await post(client, name)

        assert client.sim.book.get(1).status == "received"


async def test_hook_hears_and_says_nothing() -> None:
    async with practising() as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post(client, "hang"), 0.3)

        assert client.sim.book.get(1).status == "received"


async def test_hook_has_an_answer_without_end() -> None:
    async with practising() as client, client.session.post(f"{client.sim.url}/hook/endless") as it:
        assert len(await it.content.readexactly(100_000)) == 100_000
