"""Our mail through a server that nobody here wrote: Postfix's `smtp-sink`, read back from disk."""

import asyncio
import email
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from kentongan.outcome import Accepted
from tests.fakes.mail import channel_to, envelope, open_gate, wording
from tests.fakes.smtp import Relay

SINK = shutil.which("smtp-sink") or shutil.which(
    "smtp-sink", path="/usr/sbin:/usr/lib/postfix/sbin"
)

pytestmark = pytest.mark.skipif(SINK is None, reason="Postfix's smtp-sink is not installed here")


@asynccontextmanager
async def sinking(port: int, *options: str) -> AsyncIterator[Path]:
    """Run it until the test is over; each message becomes a file in the folder."""
    assert SINK is not None
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)  # as root it writes as nobody
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        process = await asyncio.create_subprocess_exec(
            SINK, *user, *options, "-d", f"{folder}/letter.", f"127.0.0.1:{port}", "100"
        )
        try:
            await _until_it_listens(port)
            yield folder
        finally:
            process.kill()
            await process.wait()


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


def read_back(folder: Path) -> list[EmailMessage]:
    letters = []
    for path in folder.iterdir():
        # It writes the envelope above the letter, as headers of its own.
        read = email.message_from_bytes(path.read_bytes(), policy=default)
        assert isinstance(read, EmailMessage)
        letters.append(read)
    return letters


@pytest.mark.parametrize(
    "options", [(), ("-e",), ("-p",)], ids=["as it is", "HELO only", "no pipelining"]
)
async def test_letter_is_read_back_as_it_was_meant(
    options: tuple[str, ...], unused_tcp_port: int
) -> None:
    text = "Air laut naik 40 cm — mengungsilah! 🌊\n.\nRT 03/RW 05: „Balai Désa”"
    async with (
        sinking(unused_tcp_port, *options) as folder,
        channel_to(Relay(port=unused_tcp_port), reply_timeout=5, final_timeout=5) as channel,
    ):
        prepared = channel.prepare(wording(headline="Banjir rob 🌊 Semarang Utara", text=text))

        outcome = await channel.send(prepared, envelope(name="Siti Nurhaliza Ž"), open_gate)

        await channel.close()
        [read] = read_back(folder)

    assert isinstance(outcome, Accepted)
    assert read["Subject"] == "Banjir rob 🌊 Semarang Utara"
    assert "Siti" in read["To"]
    assert read["Auto-Submitted"] == "auto-generated"
    for subtype in ("plain", "html"):
        part = read.get_body((subtype,))
        assert part is not None
        assert "Air laut naik 40 cm — mengungsilah! 🌊" in part.get_content()
        assert "„Balai Désa”" in part.get_content()
