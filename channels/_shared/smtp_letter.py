"""Letters as bytes: encoded once per alert and locale, filled per person in microseconds.

Building an `EmailMessage` takes two milliseconds, which is most of what a letter costs. So bodies
are rendered with tokens, cut at them and encoded once; soft line breaks, which readers undo, stand
around each gap, so that a value is encoded once however often it occurs. A property test compares
the result with an `EmailMessage` built per person.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from secrets import token_hex

from markupsafe import escape

from channels._shared.smtp_frame import clean, framed, html_of, one_line, text_of
from kentongan.alert import Lane, Severity
from kentongan.message import Wording

#: A person's name is cut here in headers; names are not where a letter should grow.
LONGEST_NAME = 120
#: What HTML takes for signs.
_MARKUP = re.compile("[&<>\"']")
#: RFC 2369's button would sit above an evacuation order; there the page offers it, not the header.
_WITHOUT_BUTTON = frozenset({Severity.EXTREME, Severity.SEVERE})


@dataclass(slots=True, kw_only=True)  # not frozen, which costs thrice as much: one a letter
class Person:
    """What one letter adds: `message_id` and `date` are ready header values."""

    address: str
    name: str
    url: str
    message_id: str
    date: str


@dataclass(frozen=True, slots=True)
class _Gap:
    """A line that holds something of a person's, and what stands before and after it, encoded."""

    before: bytes
    field: str
    after: bytes

    def pieces(self, *, named: bool) -> tuple[bytes | str, ...]:
        """Return the line; without a name, nothing is left of those that would show it."""
        return (self.before, self.field, self.after) if named or "name" not in self.field else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """What lies end to end: pieces that are ready, and which of them are a person's, by field."""

    parts: tuple[bytes, ...]
    gaps: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """A letter without its person: pieces that are ready, and the names of those that are not.

    `has_button`: whether it carries List-Unsubscribe.
    """

    named: _Pieces
    nameless: _Pieces
    has_button: bool

    def filled(self, person: Person) -> bytes:
        """Return the whole content, dot-stuffed, ending with CRLF."""
        name, url = one_line(person.name)[:LONGEST_NAME], person.url
        plain_url, plain_name = _soft(url), _soft(name)
        own = {
            "head": self._personal_head(person, name.strip()),
            "url": plain_url,
            "name": plain_name,
            "url in markup": _soft(escape(url)) if _MARKUP.search(url) else plain_url,
            "name in markup": _soft(escape(name)) if _MARKUP.search(name) else plain_name,
        }
        pieces = self.named if name else self.nameless
        filled = list(pieces.parts)
        for at, field in pieces.gaps:
            filled[at] = own[field]
        return b"".join(filled)

    def _personal_head(self, person: Person, name: str) -> bytes:
        # No line of it can begin with a dot: each is a header, or goes on with a blank.
        head = (
            f"Date: {person.date}\r\nTo: {mailbox(name, person.address, 'To')}\r\n"
            f"Message-ID: {person.message_id}\r\n"
        )
        if self.has_button and person.url:
            head += (
                f"List-Unsubscribe: <{person.url}>\r\n"
                "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            )
        return head.encode()


def skeleton(wording: Wording, organisation: str, sender: str, *, linked: bool) -> Skeleton:
    """Encode all that is the same for everyone; `linked` letters have the person's page in them."""
    tokens = {"url" + token_hex(12): "url", "name" + token_hex(12): "name"}
    url, name = tokens
    shown = framed(wording, organisation, url=url if linked else "", name=name)
    boundary = f"=_{wording.alert_id}"  # "=_" cannot occur in quoted-printable
    parts = (
        _stuffed(_head(wording, organisation, sender, boundary)),
        _part_head(boundary, "plain"),
        *_parts(text_of(shown), tokens, ""),
        _part_head(boundary, "html"),
        *_parts(html_of(shown), tokens, " in markup"),
        f"\r\n--{boundary}--\r\n".encode(),
    )
    return Skeleton(
        named=_pieces(parts, named=True),
        nameless=_pieces(parts, named=False),
        has_button=wording.severity not in _WITHOUT_BUTTON,
    )


def _pieces(parts: Sequence[bytes | _Gap], *, named: bool) -> _Pieces:
    """Lay the parts end to end, in as few pieces as there can be."""
    pieces: list[bytes | str] = ["head"]
    for part in parts:
        for piece in (part,) if isinstance(part, bytes) else part.pieces(named=named):
            last = pieces[-1]
            if isinstance(piece, bytes) and isinstance(last, bytes):
                pieces[-1] = last + piece
            else:
                pieces.append(piece)
    return _Pieces(
        parts=tuple(piece if isinstance(piece, bytes) else b"" for piece in pieces),
        gaps=tuple((at, piece) for at, piece in enumerate(pieces) if isinstance(piece, str)),
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


def _parts(body: str, tokens: dict[str, str], kind: str) -> list[bytes | _Gap]:
    """Cut a body at its lines with tokens, and encode the rest."""
    parts: list[bytes | _Gap] = []
    same: list[str] = []
    for line in clean(body).splitlines(keepends=True):
        found = re.search("|".join(tokens), line)
        if found is None:
            same.append(line)
            continue
        before, after = _soft(line[: found.start()]), _encoded(line[found.end() :])
        parts += [_encoded("".join(same)), _Gap(before, tokens[found[0]] + kind, after)]
        same.clear()
    return [*parts, _encoded("".join(same))]


def _encoded(lines: str) -> bytes:
    """Encode whole lines in quoted-printable, which, unlike base64, knows nothing of the others."""
    quoted = binascii.b2a_qp(lines.encode(), quotetabs=False, istext=True)
    return _stuffed(quoted.replace(b"\n", b"\r\n"))


def _soft(text: str) -> bytes:
    """Encode the rest of a line or less, from the beginning of one to a soft line break."""
    if not text:
        return b""
    # NUL becomes three characters: cut off again, they leave room for the break's equals sign.
    quoted = binascii.b2a_qp(b"%b\0" % text.encode(), quotetabs=False, istext=True)[:-3]
    return _stuffed(quoted.replace(b"\n", b"\r\n") + b"=\r\n")


def _stuffed(lines: bytes) -> bytes:
    """Double the dots at the beginnings of lines (RFC 5321, section 4.5.2)."""
    stuffed = lines.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


@lru_cache(maxsize=1)
def date_header(second: int) -> str:
    """Write a moment (seconds since 1970) as headers do."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


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
