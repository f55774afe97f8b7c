"""An e-mail's frame escapes what it holds, speaks the reader's language and shows a drill."""

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from typing_extensions import override

from kentongan.alert import AlertType, Mode, Severity
from templates.frame import Framed, email_html, email_text

FRAMED = Framed(
    locale="id-ID",
    mode=Mode.ACTUAL,
    severity=Severity.SEVERE,
    headline="Banjir rob",
    text="Naik ke lantai 2.\nSegera.\n\nBerlaku sampai 20.00 WIB.",
    organisation="BPBD Kota",
    options=(("1", "Aman"), ("2", "Butuh bantuan")),
    respond_url="TOKENTOKEN",
)


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.words = ""
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    @override
    def handle_data(self, data: str) -> None:
        self.words += data


def test_page_says_it_all_in_the_readers_language() -> None:
    html = email_html(FRAMED)
    page = Page(html)

    assert '<html lang="id-ID">' in html
    assert page.links == ["TOKENTOKEN?option=1", "TOKENTOKEN?option=2", "TOKENTOKEN"]
    for words in ("Banjir rob", "Parah", "Segera.", "Aman", "Mohon dijawab:", "BPBD Kota"):
        assert words in page.words
    assert page.tags.count("br") == 1


@pytest.mark.parametrize("render", [email_html, email_text])
def test_each_personal_token_has_a_line_of_its_own(render: Callable[[Framed], str]) -> None:
    lines = [line for line in render(FRAMED).splitlines() if "TOKENTOKEN" in line]

    assert lines
    assert all(len(line) < 60 and line.count("TOKENTOKEN") == 1 for line in lines)


def test_markup_in_words_stays_words() -> None:
    attack = '"><script>alert(1)</script>{{ 7*7 }}{% raw %}'

    html = email_html(
        replace(FRAMED, headline=attack, text=attack, organisation=attack, locale=attack)
    )

    assert "script" not in Page(html).tags
    assert "{{ 7*7 }}{% raw %}" in Page(html).words


def test_markup_in_an_option_stays_words() -> None:
    html = email_html(replace(FRAMED, options=(('1"><script>', "<script>"),)))

    assert "script" not in Page(html).tags


def test_drill_has_a_banner_and_the_real_has_none() -> None:
    drill = email_html(replace(FRAMED, mode=Mode.EXERCISE))

    assert "LATIHAN. Ini hanya latihan." in drill
    assert "LATIHAN" not in email_html(FRAMED)


def test_update_says_so_and_withdrawal_wears_no_danger() -> None:
    update = email_html(replace(FRAMED, type=AlertType.UPDATE))
    cancel = email_html(replace(FRAMED, type=AlertType.CANCEL))

    assert "Pembaruan. Parah" in update
    assert "Peringatan sebelumnya dicabut" in cancel
    assert "Parah" not in cancel
    assert "#b91c1c" in update
    assert "#b91c1c" not in cancel


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("locale", ["en", "id", "fr", ""])
def test_every_severity_has_a_frame(severity: Severity, locale: str) -> None:
    assert FRAMED.headline in email_html(replace(FRAMED, severity=severity, locale=locale))


def test_options_without_a_page_are_no_links() -> None:
    page = Page(email_html(replace(FRAMED, respond_url="")))

    assert page.links == []
    assert "Butuh bantuan" in page.words


def test_plain_text_has_the_same_words() -> None:
    text = email_text(replace(FRAMED, options=(("1", "Aman"),)))

    assert text == (
        "Banjir rob\n\nNaik ke lantai 2.\nSegera.\n\nBerlaku sampai 20.00 WIB.\n\n"
        "Mohon dijawab:\n1  Aman\n\n"
        "Jawab atau baca pesan ini di web:\nTOKENTOKEN\n\n"
        "-- \nBPBD Kota\nAnda menerima ini karena terdaftar sebagai penerima peringatan kami.\n"
    )
