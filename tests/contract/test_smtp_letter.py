"""A letter filled into ready bytes equals one that a library builds for that person."""

import email
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP, compat32, default
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels._shared.smtp_frame import clean, framed, html_of, one_line, text_of
from channels._shared.smtp_letter import LONGEST_NAME, Person, skeleton
from kentongan.message import Option, Wording
from tests.fakes import mail
from tests.fakes.smtp import Heard

ORGANISATION = "BPBD Kota Semarang"
SENDER = "peringatan@bpbd.example.id"

#: Anything Unicode has, and more than its share of what SMTP, MIME and HTML take for signs.
TEXTS = st.text(max_size=300) | st.lists(
    st.sampled_from(
        [".", "\n", "\r", "=", " ", "\t", "<", "&", '"', "'", "\\", "?", "-", "_", "a", "é", "🌊",
         "\0", "\x0b", "\x85", "\u2028", "\ud800", "=?utf-8?q?x?=", "\r\n.\r\n", "--=_", "x" * 80]
    ),
    max_size=60,
).map("".join)  # fmt: skip
URLS = st.sampled_from(["", "https://a.example.id/r/" + "t" * 26, "https://a.example.id/r/x?a=1&b"])


def by_library(wording: Wording, person: Person) -> EmailMessage:
    """Build one person's letter the slow way."""
    shown = framed(wording, ORGANISATION, url=person.url, name=one_line(person.name)[:LONGEST_NAME])
    built = EmailMessage(policy=SMTP)
    built["Date"], built["Message-ID"] = person.date, person.message_id
    built.set_content(text_of(shown), cte="quoted-printable")
    built.add_alternative(html_of(shown), subtype="html", cte="quoted-printable")
    return read_back(built.as_bytes())


def read_back(content: bytes) -> EmailMessage:
    read = email.message_from_bytes(content, policy=default)
    assert isinstance(read, EmailMessage)
    return read


def bodies(read: EmailMessage) -> list[tuple[str, str]]:
    assert not read.defects
    parts = list(read.iter_parts())
    assert not any(part.defects for part in parts)
    return [(part.get_content_type(), part.get_content()) for part in parts]


def addressee(content: bytes) -> tuple[str, str]:
    # `addresses` of the library puts a blank between two encoded words (RFC 2047, section 6.2,
    # wants none), so its older functions read the name.
    name, address = parseaddr(email.message_from_bytes(content, policy=compat32)["To"])
    return str(make_header(decode_header(name))), address


def person(**changes: str) -> Person:
    values = {
        "address": "budi@example.id",
        "name": "Budi",
        "url": "https://a.example.id/r/token",
        "message_id": f"<{mail.DELIVERY}@bpbd.example.id>",
        "date": "Tue, 03 Feb 2026 04:05:06 +0000",
    }
    return Person(**(values | changes))


def filled(wording: Wording, to: Person) -> Heard:
    bones = skeleton(wording, ORGANISATION, SENDER, linked=bool(to.url))
    return Heard("", "", bones.filled(to))


@settings(deadline=None, max_examples=100)
@given(headline=TEXTS, text=TEXTS, label=TEXTS, name=TEXTS, url=URLS)
def test_filled_letter_equals_one_built_for_its_person(
    headline: str, text: str, label: str, name: str, url: str
) -> None:
    options = (Option(key="1", label={"id": label or "-"}),)
    wording = mail.wording(headline=headline, text=text, options=options)
    to = person(name=name, url=url)

    content = filled(wording, to).content

    ours, theirs = read_back(content), by_library(wording, to)
    assert bodies(ours) == bodies(theirs)
    assert ours["Subject"] == one_line(headline)
    assert ours["Message-ID"] == theirs["Message-ID"]
    assert ours["Date"] == theirs["Date"]
    assert addressee(content) == (one_line(name)[:LONGEST_NAME].strip(), "budi@example.id")


@settings(deadline=None)
@given(headline=TEXTS, text=TEXTS, name=TEXTS)
def test_every_letter_is_seven_bit_short_lined_and_ends_in_one_place(
    headline: str, text: str, name: str
) -> None:
    data = filled(mail.wording(headline=headline, text=text), person(name=name)).data

    lines = data.split(b"\r\n")
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert b"\0" not in data
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert b"." not in lines
    assert max(map(len, lines)) <= 998


@settings(deadline=None)
@given(text=TEXTS, name=TEXTS, url=URLS)
def test_lines_of_bodies_are_as_short_as_quoted_printable_asks(
    text: str, name: str, url: str
) -> None:
    content = filled(mail.wording(text=text), person(name=name, url=url)).content

    bodies_of_it = content[content.index(b"\r\n\r\n") :]
    assert max(map(len, bodies_of_it.split(b"\r\n"))) <= 76


@given(TEXTS)
def test_cleaned_text_has_newlines_of_one_kind_and_no_other_controls(text: str) -> None:
    kept = clean(text)

    assert kept == clean(kept)
    assert kept.splitlines() == kept.split("\n")[: len(kept.splitlines())]
    kept.encode()


def test_long_name_in_any_script_is_cut_where_headers_would_burst() -> None:
    data = filled(mail.wording(), person(name="ꦱꦺꦩꦫꦁ" * 200)).data

    assert max(map(len, data.split(b"\r\n"))) <= 80


@pytest.mark.parametrize("subject", ["Banjir rob 🌊 di Semarang", "Air pasang — évakuasi", "=?x?="])
def test_subject_beyond_ascii_is_an_encoded_word(subject: str) -> None:
    heard = filled(mail.wording(headline=subject), person())

    assert b"Subject: =?utf-8?" in heard.data
    assert read_back(heard.content)["Subject"] == subject
