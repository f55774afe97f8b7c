"""A bounce is taken from its relay once it is written down, and only at a return path of ours."""

import asyncio
import os
import smtplib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels._shared.smtp_settings import EmailSettings, Tls
from channels._shared.smtp_verp import verp_address
from channels.email import Email
from kentongan.channel import Callback
from kentongan.ids import AttemptRef
from kentongan.keyring import Keyring
from kentongan.receipt import Receipt, ReceiptKind
from ledger.engine import Ledger
from service.bounces import LARGEST, MOST_CONNECTIONS, MOST_RECIPIENTS, listening
from service.wiring import House
from tests.fakes import asked
from tests.fakes.callbacks import rung
from tests.fakes.house import KEYRING, deployment, made_house

DOMAIN = "bounce.example"
BOUNCE = (
    b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nSorry \xe9.\r\n.a line with a dot\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
    b"Final-Recipient: rfc822; siti@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
)


class Relay:
    """A relay with bounces to bring; smtplib talks, in a thread."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def brings(self, *recipients: str, raw: bytes = BOUNCE) -> tuple[int, str]:
        """Return the code and words of the last answer."""
        return await asyncio.to_thread(self._brings, recipients, raw)

    def _brings(self, recipients: tuple[str, ...], raw: bytes) -> tuple[int, str]:
        with smtplib.SMTP("127.0.0.1", self._port, "mx.example", timeout=20) as smtp:
            smtp.ehlo()
            smtp.mail("")
            answer = (0, b"")
            for recipient in recipients:
                answer = smtp.rcpt(recipient)
                if answer[0] != 250:
                    return answer[0], answer[1].decode()
            answer = smtp.data(raw)
            return answer[0], answer[1].decode()


@asynccontextmanager
async def relaying(
    ledger: Ledger, domain: str | None = DOMAIN
) -> AsyncIterator[tuple[House, Relay]]:
    """Open a house that listens for bounces, and a relay that knows where."""
    plain = made_house(ledger)
    chosen = EmailSettings(
        host="127.0.0.1",
        port=9,
        tls=Tls.NONE,
        sender="alerts@example.org",
        bounce_domain=domain,
        bounce_listen="127.0.0.1:0",
    )
    channel = Email(chosen, deployment(plain.settings))
    house = made_house(ledger, channels={"email": channel})
    async with listening(house) as where:
        yield house, Relay(where[1] if where else 0)
    await channel.close()


async def path_of_one(ledger: Ledger, keyring: Keyring = KEYRING) -> tuple[AttemptRef, str]:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, channel="email", address="siti@example.org")
    attempt = AttemptRef(one, 1)
    return attempt, verp_address(keyring, attempt, DOMAIN)


async def test_bounce_is_kept_whole_before_its_relay_may_forget_it(ledger: Ledger) -> None:
    attempt, path = await path_of_one(ledger)

    async with relaying(ledger) as (house, relay):
        code, _ = await relay.brings(path)
        [event] = await asked.kept(ledger)
        kept = Callback.from_json(event.payload)
        [receipt] = house.channels["email"].receipts(kept)

    assert code == 250
    assert (event.channel, event.kind, event.joined_at) == ("email", "bounce", None)
    assert AttemptRef(event.delivery_id, event.no) == attempt
    assert (kept.url, kept.query, kept.body) == ("", {"to": path}, BOUNCE)
    assert isinstance(receipt, Receipt)
    assert (receipt.kind, receipt.attempt, receipt.code) == (ReceiptKind.FAILED, attempt, "5.1.1")
    assert rung(house) == [("receipts", "routine")]


async def test_letters_case_of_a_return_path_does_not_matter(ledger: Ledger) -> None:
    _, path = await path_of_one(ledger)

    async with relaying(ledger) as (_, relay):
        assert (await relay.brings(path.upper()))[0] == 250


async def test_only_our_own_return_paths_take_mail(ledger: Ledger) -> None:
    attempt, path = await path_of_one(ledger)
    forger = Keyring(["a key that is not ours, but long enough"])
    local = path.rpartition("@")[0]
    strangers = [
        verp_address(forger, attempt, DOMAIN),
        f"{local}@elsewhere.example",
        f"postmaster@{DOMAIN}",
        f"b+{attempt}@{DOMAIN}",
        path.replace(".1-", ".2-"),
        local,
    ]

    async with relaying(ledger) as (_, relay):
        codes = [(await relay.brings(stranger))[0] for stranger in strangers]

    assert codes == [550] * len(strangers)
    assert await asked.kept(ledger) == []


async def test_mail_that_is_no_bounce_is_kept_and_says_nothing(ledger: Ledger) -> None:
    _, path = await path_of_one(ledger)
    away = b"From: siti@example.org\r\nSubject: Out of office\r\n\r\nBack on Monday.\r\n"

    async with relaying(ledger) as (house, relay):
        codes = [(await relay.brings(path, raw=raw))[0] for raw in (away, b"\x00\xff\r\n", b"")]
        events = await asked.kept(ledger)
        reports = [house.channels["email"].receipts(Callback.from_json(e.payload)) for e in events]

    assert codes == [250, 250, 250]
    assert [list(each) for each in reports] == [[], [], []]


async def test_away_ledger_sends_the_relay_away_for_now(ledger: Ledger, tmp_path: Path) -> None:
    _, path = await path_of_one(ledger)

    async with relaying(ledger) as (_, relay):
        with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = await relay.brings(path)
            other.execute("ROLLBACK")
        other.close()
        assert await asked.kept(ledger) == []
        taken = await relay.brings(path)

    assert (refused[0], taken[0]) == (452, 250)
    assert len(await asked.kept(ledger)) == 1


async def test_mail_larger_than_any_bounce_is_refused(ledger: Ledger) -> None:
    _, path = await path_of_one(ledger)

    async with relaying(ledger) as (_, relay):
        code, _ = await relay.brings(path, raw=b"x" * 70 + b"\r\n" + b"y\r\n" * (LARGEST // 3))

    assert code == 552
    assert await asked.kept(ledger) == []


async def test_one_mail_for_a_few_letters_is_kept_for_each(ledger: Ledger) -> None:
    paths = [(await path_of_one(ledger))[1] for _ in range(MOST_RECIPIENTS + 1)]

    async with relaying(ledger) as (_, relay):
        taken = await relay.brings(*paths[:2])
        refused = await relay.brings(*paths)

    assert (taken[0], refused[0]) == (250, 452)
    assert len(await asked.kept(ledger)) == 2


async def test_flood_of_connections_is_sent_away(ledger: Ledger) -> None:
    _, path = await path_of_one(ledger)

    async with relaying(ledger) as (_, relay):
        port = relay._port
        doors = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
        for reader, _writer in doors:
            assert (await reader.readline()).startswith(b"220")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            said = await reader.read()
        for _reader, open_door in [*doors, (reader, writer)]:
            open_door.close()
        for _reader, open_door in doors:
            await open_door.wait_closed()
        async with asyncio.timeout(10):
            while (await _code(relay, path)) != 250:
                await asyncio.sleep(0.02)

    assert b"421" in said


async def _code(relay: Relay, path: str) -> int:
    try:
        return (await relay.brings(path))[0]
    except (smtplib.SMTPException, OSError):
        return 0


async def test_nobody_listens_where_no_bounce_domain_is_set(ledger: Ledger) -> None:
    async with relaying(ledger, domain=None) as (_, relay):
        assert relay._port == 0
    async with listening(made_house(ledger)) as where:
        assert where is None


async def test_real_bounces_are_taken_as_they_are(ledger: Ledger) -> None:
    material = os.environ.get("KENTONGAN_TEST_MATERIAL")
    if not material:
        pytest.skip("KENTONGAN_TEST_MATERIAL names no folder of other people's bounces")
    mails = sorted(
        p for p in (Path(material) / "dsn").rglob("*") if p.is_file() and "maildir" in p.parts
    )[::20]
    _, path = await path_of_one(ledger)

    async with relaying(ledger) as (house, relay):
        for mail in mails:
            raw = b"\r\n".join(mail.read_bytes().splitlines()) + b"\r\n"
            assert (await relay.brings(path, raw=raw))[0] == 250, mail.name
        for event in await asked.kept(ledger):
            house.channels["email"].receipts(Callback.from_json(event.payload))

    assert len(await asked.kept(ledger)) == len(mails) > 0
