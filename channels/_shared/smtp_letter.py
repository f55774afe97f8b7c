"""Letters as bytes: encoded once per alert and locale, filled per person in microseconds.

Building an `EmailMessage` takes two milliseconds, which is most of what a letter costs. So bodies
are rendered with tokens; lines without a token are encoded once, lines with one when filled. A
property test compares the result with an `EmailMessage` built per person.
"""

import binascii
import re
from dataclasses import dataclass
from email.header import Header
from secrets import token_hex

from markupsafe import escape

from channels._shared.smtp_frame import clean, framed, html_of, one_line, text_of
from kentongan.alert import Lane, Severity
from kentongan.message import Wording

#: A person's name is cut here in headers; names are not where a letter should grow.
LONGEST_NAME = 120
#: RFC 2369's button would sit above an evacuation order; there the page offers it, not the header.
_WITHOUT_BUTTON = frozenset({Severity.EXTREME, Severity.SEVERE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What one letter adds: `message_id` and `date` are ready header values."""

    address: str
    name: str
    url: str
    message_id: str
    date: str


@dataclass(frozen=True, slots=True)
class _Gap:
    """A line that holds something of a person's: text before it, text after it."""

    before: str
    field: str
    after: str
    is_markup: bool

    def filled(self, person: Person) -> bytes:
        value = person.url if self.field == "url" else one_line(person.name)[:LONGEST_NAME]
        if not value:
            return b""
        shown = str(escape(value)) if self.is_markup else value
        return encoded(f"{self.before}{shown}{self.after}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """A letter without its person. `has_button`: whether it carries List-Unsubscribe."""

    head: bytes
    body: tuple[bytes | _Gap, ...]
    has_button: bool

    def filled(self, person: Person) -> bytes:
        """Return the whole content, dot-stuffed, ending with CRLF."""
        gaps = (part if isinstance(part, bytes) else part.filled(person) for part in self.body)
        content = b"".join((self._personal_head(person), self.head, *gaps))
        # Stuffed last: a filled line may begin with a dot as well.
        return content.replace(b"\r\n.", b"\r\n..")

    def _personal_head(self, person: Person) -> bytes:
        lines = [
            f"Date: {person.date}",
            f"To: {mailbox(person.name, person.address, 'To')}",
            f"Message-ID: {person.message_id}",
        ]
        if self.has_button and person.url:
            lines.append(f"List-Unsubscribe: <{person.url}>")
            lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
        return "".join(f"{line}\r\n" for line in lines).encode()


def skeleton(wording: Wording, organisation: str, sender: str, *, linked: bool) -> Skeleton:
    """Encode all that is the same for everyone; `linked` letters have the person's page in them."""
    tokens = {"url" + token_hex(12): "url", "name" + token_hex(12): "name"}
    url, name = tokens
    shown = framed(wording, organisation, url=url if linked else "", name=name)
    boundary = f"=_{wording.alert_id}"  # "=_" cannot occur in quoted-printable
    return Skeleton(
        head=_head(wording, organisation, sender, boundary),
        body=(
            _part_head(boundary, "plain"),
            *_parts(text_of(shown), tokens, is_markup=False),
            _part_head(boundary, "html"),
            *_parts(html_of(shown), tokens, is_markup=True),
            f"\r\n--{boundary}--\r\n".encode(),
        ),
        has_button=wording.severity not in _WITHOUT_BUTTON,
    )


def _head(wording: Wording, organisation: str, sender: str, boundary: str) -> bytes:
    domain = sender.rpartition("@")[2]
    # Nobody's letter has these ids; that both name them is what makes programs show an update
    # beneath what it updates, without our knowing what that person got.
    threads = [f"<{alert}@{domain}>" for alert in (*wording.references, wording.alert_id)]
    lines = [
        f"From: {mailbox(organisation, sender, 'From')}",
        f"Subject: {unstructured(wording.headline, 'Subject')}",
        "References: " + "\r\n ".join(threads),
        f"X-Kentongan-Alert: {wording.alert_id}",
        "Auto-Submitted: auto-generated",  # RFC 3834: vacation programs stay silent
        "X-Auto-Response-Suppress: OOF, AutoReply",  # the same for Exchange
        *(["Importance: high", "Priority: urgent"] if wording.lane is Lane.FLASH else []),
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def _part_head(boundary: str, subtype: str) -> bytes:
    return (
        f"\r\n--{boundary}\r\n"
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()


def _parts(body: str, tokens: dict[str, str], *, is_markup: bool) -> list[bytes | _Gap]:
    """Cut a body at its lines with tokens, and encode the rest."""
    parts: list[bytes | _Gap] = []
    same: list[str] = []
    for line in clean(body).splitlines(keepends=True):
        found = re.search("|".join(tokens), line)
        if found is None:
            same.append(line)
            continue
        parts.append(encoded("".join(same)))
        same.clear()
        after = line[found.end() :].rstrip("\n")
        parts.append(_Gap(line[: found.start()], tokens[found[0]], after, is_markup))
    return [*parts, encoded("".join(same))]


def encoded(lines: str) -> bytes:
    """Encode whole lines in quoted-printable, which, unlike base64, knows nothing of the others."""
    return binascii.b2a_qp(lines.encode(), quotetabs=False, istext=True).replace(b"\n", b"\r\n")


def mailbox(name: str, address: str, header: str) -> str:
    """Write `name <address>` for a header; neither can begin another one."""
    shown = one_line(name)[:LONGEST_NAME].strip()
    bare = one_line(address).replace(" ", "")
    if not shown:
        return bare
    if _is_plain(shown):
        quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"\r\n <{bare}>'
    return f"{_encoded_words(shown, header)}\r\n <{bare}>"


def unstructured(text: str, header: str) -> str:
    """Write a text for a header such as Subject (RFC 2047 where it is not plain)."""
    shown = one_line(text)
    if _is_plain(shown) and len(shown) <= 64:
        return shown
    return _encoded_words(shown, header)


def _is_plain(text: str) -> bool:
    # What looks like an encoded word would be decoded by whoever reads it.
    return text.isascii() and "=?" not in text


def _encoded_words(text: str, header: str) -> str:
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")
