"""The bare loops of mail: `aiosmtplib.sendmail` over kept connections.

`python -m bench.bare.email PORT COUNT CONNECTIONS ready|built`: of bytes that are ready, the same
for everyone; or of an `EmailMessage` that is built for each person, as one does who reads the
manual.
"""

import asyncio
import sys
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime

import aiosmtplib

from bench.bare.hurry import Send, hurried
from bench.bare.letter import HTML, TEXT
from bench.world import MAIL_FROM


def letter(number: int) -> bytes:
    """Return a person's letter, with their link in both of its bodies."""
    url = f"https://127.0.0.1:8080/r/{number:026}-{'m' * 26}"
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f"Kentongan <{MAIL_FROM}>"
    mail["To"] = f"Person {number} <{address(number)}>"
    mail["Subject"] = "High tide tonight"
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = f"<dlv_{number:026}@kentongan.example>"
    mail["References"] = f"<alr_{0:026}@kentongan.example>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Unsubscribe"] = f"<{url}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(TEXT.replace("URL", url), cte="quoted-printable")
    mail.add_alternative(HTML.replace("URL", url), subtype="html", cte="quoted-printable")
    return mail.as_bytes()


def address(number: int) -> str:
    return f"p{10_000_000 + number}@example.org"


async def send_all(port: int, count: int, connections: int, *, built: bool) -> None:
    """Send `count` letters."""
    lines = [
        aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        for _ in range(connections)
    ]
    await asyncio.gather(*(line.connect() for line in lines))
    await hurried([_over(line, built=built) for line in lines], count)
    await asyncio.gather(*(line.quit() for line in lines))


def _over(line: aiosmtplib.SMTP, *, built: bool) -> Send:
    ready = letter(0)

    async def send(number: int) -> None:
        content = letter(number) if built else ready
        await line.sendmail(MAIL_FROM, [address(number)], content)

    return send


if __name__ == "__main__":
    _, _port, _count, _connections, _kind = sys.argv
    asyncio.run(send_all(int(_port), int(_count), int(_connections), built=_kind == "built"))
