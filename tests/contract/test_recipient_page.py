"""A person reads a message on a page of their own, which runs, loads and does nothing by itself."""

from html.parser import HTMLParser

import pytest
from typing_extensions import override

from kentongan.alert import AlertType, Mode, Severity, Words
from kentongan.response_link import response_url
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes import asked
from tests.fakes.house import Client
from tests.fakes.page import MAIL, is_stopped, mailed, path_of, seen


class Inputs(HTMLParser):
    """The inputs of a page, and whatever could act without its reader."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "input":
            self.found.append(dict(attrs))


async def test_page_shows_the_words_and_the_answers(
    client: Client, house: House, ledger: Ledger
) -> None:
    one = await mailed(ledger)
    url = response_url(house.deployment, one)
    assert url.startswith("https://warn.example/r/")

    page = await seen(client, url.removeprefix("https://warn.example"))

    assert '<html lang="en">' in page
    for words in ("Flood", "Water rises.", "Move up now.", "I am safe", "I need help", "Severe"):
        assert words in page
    assert MAIL not in page
    assert [(i["value"], "checked" in i) for i in Inputs(page).found] == [
        ("1", False),
        ("2", False),
    ]


async def test_page_speaks_the_persons_language(client: Client, ledger: Ledger) -> None:
    one = await mailed(ledger, locale="id")

    page = await seen(client, path_of(one))

    assert '<html lang="id">' in page
    for words in ("Banjir", "Segera ke atas.", "Saya aman", "Jawaban Anda", "Parah"):
        assert words in page


@pytest.mark.parametrize(
    ("mode", "locale", "mark"),
    [
        (Mode.EXERCISE, "id", "LATIHAN. Ini hanya latihan."),
        (Mode.EXERCISE, "en", "EXERCISE. This is only an exercise."),
        (Mode.TEST, "en", "TEST. This is only a test."),
    ],
)
async def test_drill_says_so_above_and_below(
    client: Client, ledger: Ledger, mode: Mode, locale: str, mark: str
) -> None:
    page = await seen(client, path_of(await mailed(ledger, mode=mode, locale=locale)))

    assert page.count(mark) == 2
    assert page.index(mark) < page.index("<h1")


async def test_nothing_real_looks_like_a_drill(client: Client, ledger: Ledger) -> None:
    assert "drill" not in (await seen(client, path_of(await mailed(ledger)))).partition("<body>")[2]


@pytest.mark.parametrize(
    "path", ["", "?option=1", "/unsubscribe", "?option=1&List-Unsubscribe=One-Click"]
)
async def test_looking_changes_nothing(client: Client, ledger: Ledger, path: str) -> None:
    one = await mailed(ledger)

    for method in ("GET", "HEAD"):
        for _ in range(3):
            async with client.request(method, path_of(one) + path) as answer:
                assert answer.status == 200

    assert await asked.answers(ledger, one) == []
    assert not await is_stopped(ledger)


async def test_page_runs_nothing_loads_nothing_and_sends_nothing_by_itself(
    client: Client, ledger: Ledger
) -> None:
    one = await mailed(ledger)
    async with client.get(path_of(one)) as answer:
        policy, page = answer.headers["Content-Security-Policy"], await answer.text()
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"

    tags = Inputs(page).tags
    assert {tag for tag, _ in tags}.isdisjoint(
        {"script", "img", "link", "iframe", "object", "base"}
    )
    assert not any(name.startswith("on") or name == "src" for _, attrs in tags for name in attrs)
    assert "http-equiv" not in page
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


async def test_link_may_choose_beforehand_what_was_offered(client: Client, ledger: Ledger) -> None:
    one = await mailed(ledger)

    chosen = [
        [
            i["value"]
            for i in Inputs(await seen(client, f"{path_of(one)}?option={key}")).found
            if "checked" in i
        ]
        for key in ("2", "9", "")
    ]

    assert chosen == [["2"], [], []]


async def test_old_and_corrected_messages_say_so(client: Client, ledger: Ledger) -> None:
    old = await mailed(ledger, lives=-60)
    wrong = await asked.alert(ledger)
    told = await asked.delivery(ledger, wrong, channel="email", address=MAIL, locale="en")
    await asked.alert(ledger, corrects=wrong)
    withdrawn = await mailed(ledger, type=AlertType.CANCEL)

    assert "no longer current" in await seen(client, path_of(old))
    assert "A newer message replaces this one" in await seen(client, path_of(told))
    page = await seen(client, path_of(withdrawn))
    assert "Earlier warning withdrawn" in page
    assert f'class="{Severity.SEVERE}"' not in page


async def test_words_cannot_become_markup(client: Client, ledger: Ledger) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x>"
    one = await mailed(ledger, words={"en": Words(headline=evil, text=f"{evil}\n\n{evil}")})

    page = await seen(client, f"{path_of(one)}?option=%22%3E%3Cscript%3E")

    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") == 4
