"""Whatever servers do on a connection that is kept, one request has one answer, its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import TCPConnector
from yarl import URL

from channels._shared.http import HttpClient, Trouble
from channels._shared.wire import MOST_REPLY, Reply, Target
from kentongan.outcome import NotBegun, Reason
from tests.fakes import servers
from tests.fakes.channels import CountingGate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Post = Callable[[], Awaitable[Reply | Trouble | NotBegun]]


@asynccontextmanager
async def posting(
    talk: servers.Talk, *, within: float = 5
) -> AsyncIterator[tuple[Post, servers.Heard]]:
    """Yield a way to post to a server that behaves as `talk`, over one connection at a time."""
    client = HttpClient(lambda: TCPConnector(limit=1), within=within)
    async with servers.serving(talk) as heard:
        target = Target.of(URL(heard.url) / "hook")

        async def post() -> Reply | Trouble | NotBegun:
            return await client.post(target, body=b"{}", headers={}, gate=CountingGate())

        try:
            yield post, heard
        finally:
            await client.close()


def in_turn(*answers: bytes) -> servers.Talk:
    """Hear requests and give each the next answer, the last one for ever."""

    async def talk(
        heard: servers.Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await servers.hear_request(heard, reader)
            writer.write(answers[min(len(heard.requests), len(answers)) - 1])
            await writer.drain()

    return talk


# --- answers


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK, 200, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            200,
            b"{}",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 400\r\nContent-Length: 0\r\n\r\n", 400, b""),
    ],
    ids=["length", "204", "304", "chunked", "100", "103 and 102", "no words"],
)
async def test_whole_answer_leaves_the_connection_to_the_next_request(
    answer: bytes, status: int, body: bytes
) -> None:
    async with posting(in_turn(answer)) as (post, heard):
        for _ in range(3):
            reply = await post()
            assert isinstance(reply, Reply)
            assert (reply.status, reply.body, reply.whole) == (status, body, True)

    assert (len(heard.requests), heard.connections) == (3, 1)


async def test_answer_in_the_smallest_pieces_is_read_whole() -> None:
    async def talk(
        heard: servers.Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await servers.hear_request(heard, reader)
        for octet in OK:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)

    async with posting(talk) as (post, _):
        reply = await post()

    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.whole) == (200, b"{}", True)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_answer_without_a_length_ends_with_its_connection(head: bytes) -> None:
    async with posting(servers.saying(head + b"all")) as (post, heard):
        replies = [await post(), await post()]

    assert all(isinstance(reply, Reply) and reply.body == b"all" for reply in replies)
    assert heard.connections == 2


@pytest.mark.parametrize("extra", [OK, OK[:20], b"x"], ids=["an answer", "half an answer", "junk"])
async def test_what_follows_an_answer_is_never_the_next_one(extra: bytes) -> None:
    second = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
    async with posting(in_turn(OK + extra, second)) as (post, _):
        first, after = await post(), await post()

    assert isinstance(first, Reply | Trouble)
    assert not isinstance(after, Reply) or after.status == 410


async def test_server_that_speaks_before_it_is_asked_hears_nothing() -> None:
    spoken = asyncio.Event()

    async def talk(
        heard: servers.Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await servers.hear_request(heard, reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(OK)
        await writer.drain()
        spoken.set()
        await servers.hear_request(heard, reader)

    async with posting(talk) as (post, heard):
        assert isinstance(await post(), Reply)
        await spoken.wait()
        await asyncio.sleep(0.05)
        trouble = await post()

        assert isinstance(trouble, Trouble)
        assert (trouble.begun, trouble.reason) == (False, Reason.NO_CONNECTION)
        assert len(heard.requests) == 1


@pytest.mark.parametrize("length", [MOST_REPLY, MOST_REPLY + 1, 10 * MOST_REPLY])
async def test_body_is_read_to_its_end_or_cut_off(length: int) -> None:
    talk = servers.answering(200, body=b"x" * length)
    async with posting(talk) as (post, heard):
        replies = [await post(), await post()]

    for reply in replies:
        assert isinstance(reply, Reply)
        assert len(reply.body) == min(length, MOST_REPLY)
        assert reply.whole == (length <= MOST_REPLY)
    assert heard.connections == (1 if length <= MOST_REPLY else 2)


@pytest.mark.parametrize(
    "head", [b"Content-Length: 9\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n9\r\nx"]
)
async def test_body_that_breaks_off_is_not_whole(head: bytes) -> None:
    async with posting(servers.saying(b"HTTP/1.1 201 Created\r\n" + head)) as (post, _):
        reply = await post()

    assert isinstance(reply, Reply)
    assert (reply.status, reply.whole) == (201, False)


@pytest.mark.parametrize("wish", ["Connection: close\r\n", "Connection: keep-alive, close\r\n"])
async def test_server_that_wants_to_close_is_called_anew(wish: str) -> None:
    async with posting(servers.answering(200, wish)) as (post, heard):
        await post()
        await post()

    assert heard.connections == 2


async def test_kept_connection_that_was_closed_meanwhile_is_not_used() -> None:
    async with posting(servers.saying(OK)) as (post, heard):
        for _ in range(3):
            reply = await post()
            assert isinstance(reply, Reply)
            assert reply.whole
            await asyncio.sleep(0.05)  # the end of the connection arrives

    assert heard.connections == 3


async def test_connection_that_is_kept_for_one_server_keeps_no_other_out() -> None:
    client = HttpClient(lambda: TCPConnector(limit=1), within=5)
    async with (
        servers.serving(servers.answering(200)) as one,
        servers.serving(servers.answering(200)) as other,
    ):
        for heard in (one, other, one, one, other):
            target = Target.of(URL(heard.url))
            reply = await client.post(target, body=b"", headers={}, gate=CountingGate())
            assert isinstance(reply, Reply)
        await client.close()

    assert (len(one.requests), len(other.requests)) == (3, 2)


async def test_many_share_the_few_connections_that_are_allowed() -> None:
    client = HttpClient(lambda: TCPConnector(limit=10, limit_per_host=3), within=5)
    async with servers.serving(servers.answering(200)) as heard:
        target = Target.of(URL(heard.url))
        for _ in range(3):
            replies = await asyncio.gather(
                *(client.post(target, body=b"", headers={}, gate=CountingGate()) for _ in range(40))
            )
            assert all(isinstance(reply, Reply) for reply in replies)
        await client.close()

    assert (len(heard.requests), heard.connections) == (120, 3)


async def test_whoever_finds_no_connection_in_time_has_not_begun() -> None:
    client = HttpClient(lambda: TCPConnector(limit=1), within=1, connect=0.1)
    async with servers.serving(servers.hang) as heard:
        target = Target.of(URL(heard.url))
        posts = [client.post(target, body=b"", headers={}, gate=CountingGate()) for _ in range(2)]
        first, second = await asyncio.gather(*posts)
        await client.close()

    assert isinstance(first, Trouble)
    assert isinstance(second, Trouble)
    assert (first.begun, second.begun) == (True, False)
    assert second.words == "no connection within 0.1 s"
    assert len(heard.requests) == 1


async def test_client_may_be_used_again_after_it_was_closed() -> None:
    client = HttpClient(lambda: TCPConnector(limit=1), within=5)
    async with servers.serving(servers.answering(200)) as heard:
        for _ in range(2):
            target = Target.of(URL(heard.url))
            reply = await client.post(target, body=b"", headers={}, gate=CountingGate())
            assert isinstance(reply, Reply)
            await client.close()
            await client.close()

    assert heard.connections == 2


# --- when the first byte may have left


async def test_connection_that_ends_while_the_gate_thinks_has_carried_nothing() -> None:
    client = HttpClient(lambda: TCPConnector(limit=1), within=5)

    async def gate(transport: asyncio.BaseTransport | None) -> None:
        assert transport is not None
        while not transport.is_closing():
            await asyncio.sleep(0.01)

    async with servers.serving(servers.hang_up) as heard:
        target = Target.of(URL(heard.url))
        trouble = await client.post(target, body=b"{}", headers={}, gate=gate)
        await client.close()

    assert isinstance(trouble, Trouble)
    assert (trouble.begun, trouble.reason) == (False, Reason.NO_CONNECTION)


async def test_gate_that_never_opens_costs_no_more_than_a_call() -> None:
    client = HttpClient(lambda: TCPConnector(limit=1), within=0.1)

    async def gate(_transport: asyncio.BaseTransport | None) -> None:
        await asyncio.Event().wait()

    async with servers.serving(servers.answering(200)) as heard:
        trouble = await client.post(Target.of(URL(heard.url)), body=b"{}", headers={}, gate=gate)
        await client.close()

    assert isinstance(trouble, Trouble)
    assert not trouble.begun
    assert heard.requests == []


@pytest.mark.parametrize("talk", [servers.hang, servers.reset, servers.saying(b"")])
async def test_request_that_left_has_begun(talk: servers.Talk) -> None:
    async with posting(talk, within=0.3) as (post, _):
        trouble = await post()

    assert isinstance(trouble, Trouble)
    assert (trouble.begun, trouble.reason) == (True, Reason.NO_REPLY)
