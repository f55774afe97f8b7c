"""A letter's content leaves in the read that asked for it, and only there where that is safe."""

import asyncio
import socket

import pytest
from typing_extensions import override

from channels._shared.smtp import Conversation, Due, LostError
from channels._shared.smtp_place import Place
from channels._shared.smtp_transaction import Letter, Patience, Transaction
from kentongan.outcome import Accepted
from tests.fakes.fussy import fussy
from tests.fakes.mail import channel_to
from tests.fakes.mailing import letters, reached
from tests.fakes.smtp import Answer, Relay, listening

LETTER = Letter(
    mail=b"MAIL FROM:<a@example.id>\r\n",
    rcpt=b"RCPT TO:<b@example.id>\r\n",
    content=b"air naik\r\n",
)


class _Watched(Conversation):
    """Notes what has left by the end of each read."""

    def __init__(self, transport: asyncio.Transport, far: socket.socket) -> None:
        super().__init__(transport, {"pipelining": ""})
        self._far = far
        self.left: list[bytes] = []

    @override
    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        try:
            self.left.append(self._far.recv(65536))
        except BlockingIOError:
            self.left.append(b"")


async def _conversation() -> tuple[_Watched, socket.socket]:
    near, far = socket.socketpair()
    near.settimeout(0)
    far.settimeout(0)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    return _Watched(transport, far), far


async def test_content_leaves_in_the_read_that_asked_for_it() -> None:
    talk, far = await _conversation()
    sending = asyncio.create_task(Transaction(Place(talk), Patience()).carry(LETTER))
    loop = asyncio.get_running_loop()
    assert (await loop.sock_recv(far, 65536)).endswith(b"DATA\r\n")

    await loop.sock_sendall(far, b"250 fine\r\n250 fine\r\n354 go on\r\n")
    while not talk.left:
        await asyncio.sleep(0)
    await loop.sock_sendall(far, b"250 taken\r\n")

    assert isinstance(await sending, Accepted)
    assert talk.left[0] == b"air naik\r\n.\r\n"
    talk.abort()
    far.close()


async def test_letter_whose_content_could_not_be_given_on_does_not_hang() -> None:
    talk, far = await _conversation()

    def fails(_due: Due) -> bool:
        raise ZeroDivisionError

    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    opened = Place(talk).open(LETTER.mail, patience=5, then=fails)
    await asyncio.get_running_loop().sock_sendall(far, b"250 a\r\n250 b\r\n354 c\r\n")

    with pytest.raises(LostError):
        await opened.answer
    far.close()


async def test_reply_that_came_before_the_content_is_no_answer_to_it() -> None:
    early: dict[str, list[Answer]] = {
        "DATA": [b"354 go on\r\n250 queued\r\n"],
        "DOT": ["451 4.3.0 not taken"],
    }
    async with listening(Relay(answers=early)) as relay, channel_to(relay) as channel:
        [outcome] = await asyncio.gather(*letters(channel, 1))

    assert not isinstance(outcome, Accepted)


async def test_letters_that_wait_at_a_slow_gate_blame_no_relay_for_it() -> None:
    asked = 0

    async def slow(_transport: object) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(1.2)

    async with listening(Relay()) as relay, channel_to(relay, connections=1) as channel:
        await asyncio.gather(*letters(channel, 3, gates=[slow] * 3))
        assert asked == 3

        await asyncio.gather(*letters(channel, 3))

    assert len(reached(relay)) == 6
    assert [piece for piece in relay.writes[-6:] if b"\r\n.\r\nMAIL FROM" in piece]


async def test_relay_that_wants_each_letter_alone_soon_gets_them_so() -> None:
    made = 0

    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        await fussy(reader, writer, forgets=False)

    server = await asyncio.start_server(strict, "127.0.0.1", 0)
    relay = Relay(port=server.sockets[0].getsockname()[1])
    async with server, channel_to(relay, connections=1) as channel:
        outcomes = await asyncio.gather(*letters(channel, 12))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert made <= 3
