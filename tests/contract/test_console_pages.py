"""The console's pages: who may see them, in which language, and that nothing in them runs."""

import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kentongan.access import MAY, Act, Role
from kentongan.alert import Mode
from ledger.engine import SERVICE_PATIENCE, Ledger
from service.console.cookies import SESSION
from service.console.pages import PAGES, Page
from service.console.static import FILES, url_of
from tests.fakes.console import Browser, browsing, enter, house_of, scene
from tests.fakes.house import Client

USERS = [Role.OFFICER, Role.AUDITOR, Role.ADMIN]
NAMED = [f"{page.method} {page.path}" for page in PAGES]


@pytest.fixture
async def browser(ledger: Ledger) -> AsyncIterator[Browser]:
    async with browsing(house_of(ledger)) as opened:
        yield opened


def _address(page: Page, alert: str, person: str) -> str:
    path = re.sub(r"\{alert_id:.*?\}\}", alert, page.path)
    path = re.sub(r"\{person_id:.*?\}\}", person, path)
    return path.replace("{rest:.*}", "nowhere")


@pytest.mark.parametrize("role", [None, *USERS])
@pytest.mark.parametrize("page", PAGES, ids=NAMED)
async def test_every_page_is_for_its_roles_and_nobody_else(
    browser: Browser, ledger: Ledger, page: Page, role: Role | None
) -> None:
    it = await scene(ledger)
    token = ""
    if role is not None:
        await enter(browser, ledger, role)
        token = (await browser.get("/console/password")).tags.field("token")

    path = _address(page, it.alert, it.person)
    sent = {"token": token}
    answer = await (browser.get(path) if page.method == "GET" else browser.post(path, sent))

    if page.act is None:
        # For strangers: the forms of signing in were not shown to this browser, so not taken.
        assert answer.status in ({200, 303} if page.method == "GET" else {403})
    elif role is None:
        assert (answer.status, answer.where.partition("?")[0]) == (303, "/console/login")
    elif MAY[page.act].get(role) is None:
        assert answer.status == 403
    else:
        assert answer.status in {200, 303, 404 if "rest" in page.path else 200, 422}
        assert not answer.where.startswith("/console/login") or "logout" in path


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("mode", list(Mode))
async def test_every_page_is_whole_in_both_languages(
    browser: Browser, ledger: Ledger, language: str, mode: Mode
) -> None:
    it = await scene(ledger, mode=mode)
    await enter(browser, ledger, Role.OFFICER, locale=language)

    for path in it.pages:
        answer = await browser.get(path)
        assert answer.status == 200, path
        assert f'<html lang="{language}">' in answer.text
        assert " UTC" in answer.text  # the zone of the times
        if it.alert in path:
            assert f'class="band {mode}"' in answer.text
            words = {Mode.ACTUAL: "Nyata", Mode.EXERCISE: "Latihan", Mode.TEST: "Uji coba"}
            assert (words if language == "id" else {mode: mode.title()})[mode] in answer.text


async def test_stranger_reads_the_form_in_the_language_of_their_browser(browser: Browser) -> None:
    indonesian = await browser.get("/console/login", Accept_Language="fr, id;q=0.9, en;q=0.8")
    english = await browser.get("/console/login", Accept_Language="en-GB,id;q=0.5")

    assert "Kata sandi" in indonesian.text
    assert "Password" in english.text


async def test_no_page_runs_or_loads_anything_of_others(browser: Browser, ledger: Ledger) -> None:
    it = await scene(ledger)
    strangers = await browser.get("/console/login")
    await enter(browser, ledger, Role.ADMIN)

    for answer in [strangers, *[await browser.get(path) for path in [*it.pages, "/console/x"]]]:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        for tag, attrs in answer.tags.tags:
            assert tag not in {"script", "style", "iframe", "object", "base", "embed"}
            assert not any(name == "style" or name.startswith("on") for name in attrs)
            for name in ("href", "src", "action"):
                assert (attrs.get(name) or "/").startswith(("/console", "?", "#main", "/")), attrs
                assert not (attrs.get(name) or "").startswith("//")


async def test_files_stay_for_a_year_under_an_address_that_names_their_content(
    client: Client,
) -> None:
    for name in FILES:
        async with client.get(url_of(name)) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
        other = url_of(name).replace(FILES[name].hash, "0" * 16)
        async with client.get(other) as answer:
            assert answer.status == 404


async def test_forms_that_are_not_ours_do_nothing(browser: Browser, ledger: Ledger) -> None:
    await enter(browser, ledger, Role.OFFICER)
    token = (await browser.get("/console")).tags.field("token")
    async with browsing(house_of(ledger)) as other:
        await enter(other, ledger, Role.ADMIN)
        foreign = (await other.get("/console")).tags.field("token")

    refused = [
        await browser.post("/console/logout", {}),
        await browser.post("/console/logout", {"token": foreign}),
        await browser.post("/console/logout", {"token": token}, Sec_Fetch_Site="cross-site"),
        await browser.post("/console/logout", {"token": token}, Sec_Fetch_Site="same-site"),
        await browser.post("/console/logout", {"token": token}, Origin="https://evil.example"),
        await browser.post("/console/logout", {"token": token}, Origin="null"),
        await browser.post("/console/login", {"login": "a.officer.en", "password": "x"}),
    ]

    assert [answer.status for answer in refused] == [403] * 7
    assert (await browser.get("/console")).status == 200


@pytest.mark.parametrize(
    "path",
    ["/console/nowhere", "/console/alerts/nothing", "/console/alerts/alr_" + "0" * 26,
     "/console/alerts/alr_" + "0" * 26 + "/receipts",
     "/console/alerts/alr_" + "0" * 26 + "/people"],
)  # fmt: skip
async def test_what_is_not_there_is_a_page_as_well(
    browser: Browser, ledger: Ledger, path: str
) -> None:
    await enter(browser, ledger, Role.OFFICER)

    answer = await browser.get(path)

    assert answer.status == 404
    assert "There is no such page" in answer.text


async def test_person_of_another_alert_is_not_there(browser: Browser, ledger: Ledger) -> None:
    one, other = await scene(ledger), await scene(ledger)
    await enter(browser, ledger, Role.OFFICER)

    answer = await browser.get(f"/console/alerts/{one.alert}/people/{other.person}")

    assert answer.status == 404


async def test_ledger_away_is_a_page_that_says_so(tmp_path: Path) -> None:
    away = Ledger.open(f"sqlite:///{tmp_path}/nowhere/ledger.db", patience=SERVICE_PATIENCE)
    async with browsing(house_of(away)) as browser:
        browser.plant(SESSION, "a token of somebody")

        answer = await browser.get("/console")

    assert answer.status == 503
    assert "The record cannot be reached" in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_ledger_that_cannot_be_written_keeps_the_session_and_says_so(
    browser: Browser, ledger: Ledger, tmp_path: Path
) -> None:
    await enter(browser, ledger, Role.OFFICER, locale="id")
    token = (await browser.get("/console")).tags.field("token")

    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await browser.post("/console/logout", {"token": token})
        other.execute("ROLLBACK")
    other.close()

    assert answer.status == 503
    assert "Catatan tidak dapat dijangkau" in answer.text
    assert (await browser.get("/console")).status == 200


async def test_browser_is_led_to_the_console_and_curl_to_the_reference(browser: Browser) -> None:
    assert (await browser.get("/")).where == "/console"
    assert (await browser.get("/", Accept="*/*")).where == "/docs"


async def test_whoever_reads_all_may_read_the_console() -> None:
    assert {page.act for page in PAGES} == {None, Act.READ_ALERT, Act.WHO_AM_I}
