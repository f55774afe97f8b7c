"""Somebody signs in to the console, and nobody else does."""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from kentongan import totp
from kentongan.access import Role
from kentongan.clock import SECOND
from ledger import sessions, users
from ledger.engine import Ledger
from ledger.schema_people import audit
from service.console.cookies import SESSION, VISITOR
from service.console.door import FAILURES_PER_LOGIN
from tests.fakes.console import Browser, browsing, enter, house_of
from tests.fakes.house import made_house, serving
from tests.fakes.users import PASSWORD, added


@pytest.fixture
async def browser(ledger: Ledger) -> AsyncIterator[Browser]:
    async with browsing(house_of(ledger)) as opened:
        yield opened


async def deeds(ledger: Ledger) -> list[str]:
    async with ledger.read() as db:
        rows = await db.execute(select(audit.c.action).order_by(audit.c.id))
        return [row.action for row in rows]


async def test_stranger_is_led_to_sign_in_and_on_to_where_they_wanted(
    browser: Browser, ledger: Ledger
) -> None:
    await added(ledger, "siti")

    led = await browser.get("/console/alerts/x?state=failed")
    shown = await browser.get(led.where)
    form = {name: shown.tags.field(name) for name in ("token", "next")} | {
        "login": " Siti ",
        "password": PASSWORD,
    }
    came = await browser.post("/console/login", form)

    assert (led.status, led.where.partition("?")[0]) == (303, "/console/login")
    assert (came.status, came.where) == (303, "/console/alerts/x?state=failed")
    assert (await browser.get("/console")).status == 200
    assert await deeds(ledger) == ["session.begin"]


@pytest.mark.parametrize(
    "where",
    ["https://evil.example/console", "//evil.example/console", "/\\evil.example", "/docs",
     "/console/../docs", "/consolers", "javascript:alert(1)", "/console\r\nX: y",
     "/console/logout"],
)  # fmt: skip
async def test_nobody_is_led_away_from_the_console(
    browser: Browser, ledger: Ledger, where: str
) -> None:
    await added(ledger, "siti")

    assert (await browser.sign_in("siti", next=where)).where == "/console"


async def test_what_fails_is_answered_alike(browser: Browser, ledger: Ledger) -> None:
    gone = await added(ledger, "gone")
    await added(ledger, "siti")
    async with ledger.write() as db:
        await users.disable(db, gone.id)

    wrong = await browser.sign_in("siti", "not the password")
    unknown = await browser.sign_in("nobody.here", "not the password")
    disabled = await browser.sign_in("gone", PASSWORD)

    assert {one.status for one in (wrong, unknown, disabled)} == {422}
    # The time of day alone differs.
    texts = {re.sub(r"\d\d:\d\d:\d\d", "", one.text) for one in (wrong, unknown, disabled)}
    assert len(texts) == 1
    assert browser.cookie(SESSION) is None
    assert await deeds(ledger) == ["session.fail"] * 3


async def test_whoever_guesses_is_slowed_down_and_the_right_password_as_well(
    browser: Browser, ledger: Ledger
) -> None:
    await added(ledger, "siti")

    for _ in range(FAILURES_PER_LOGIN):
        assert (await browser.sign_in("siti", "guess")).status == 422
    slowed, right = await browser.sign_in("siti", "guess"), await browser.sign_in("SITI")

    assert (slowed.status, right.status) == (429, 429)
    assert 0 < int(slowed.headers["Retry-After"]) <= 60
    assert slowed.headers["Content-Type"].startswith("text/html")
    assert browser.cookie(SESSION) is None


async def test_session_is_a_fresh_one_at_every_sign_in(browser: Browser, ledger: Ledger) -> None:
    await added(ledger, "siti")
    await browser.sign_in("siti")
    first = browser.cookie(SESSION)

    await browser.sign_in("siti")
    second = browser.cookie(SESSION)

    assert first is not None
    assert second is not None
    assert first != second
    async with ledger.read() as db:
        assert await sessions.find(db, first) is None
        assert await sessions.find(db, second) is not None


async def test_token_that_somebody_planted_opens_nothing(browser: Browser, ledger: Ledger) -> None:
    await added(ledger, "siti")
    planted = sessions.new_token()
    browser.plant(SESSION, planted)

    await browser.sign_in("siti")

    assert browser.cookie(SESSION) != planted
    async with ledger.read() as db:
        assert await sessions.find(db, planted) is None


async def test_cookies_are_for_the_console_alone_and_no_script_sees_them(ledger: Ledger) -> None:
    await added(ledger, "siti")
    async with serving(made_house(ledger)) as client:  # its public address has TLS
        shown = await Browser(client).get("/console/login")
        visitor = re.match(rf"{VISITOR}=([^;]+)", shown.headers["Set-Cookie"])
        assert visitor is not None
        form = {"token": shown.tags.field("token"), "login": "siti", "password": PASSWORD}
        headers = {"Cookie": f"{VISITOR}={visitor[1]}"}
        async with client.post(
            "/console/login", data=form, headers=headers, allow_redirects=False
        ) as answer:
            given = answer.headers.getall("Set-Cookie")

    for cookie in (shown.headers["Set-Cookie"], given[0]):
        told = {part.strip().casefold() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "samesite=lax", "path=/console"} <= told


async def test_signing_out_ends_the_session_itself(browser: Browser, ledger: Ledger) -> None:
    await enter(browser, ledger, Role.OFFICER)
    token = browser.cookie(SESSION)
    home = await browser.get("/console")

    left = await browser.post("/console/logout", {"token": home.tags.field("token")})

    assert (left.status, left.where) == (303, "/console/login")
    browser.plant(SESSION, token or "")
    assert (await browser.get("/console")).where == "/console/login"
    assert (await deeds(ledger))[-1] == "session.end"


async def test_one_time_password_opens_nothing_but_the_change_of_it(
    browser: Browser, ledger: Ledger
) -> None:
    await added(ledger, "siti", must_change=True)
    await browser.sign_in("siti")

    assert (await browser.get("/console")).where == "/console/password"
    form = await browser.get("/console/password")
    sent = {"token": form.tags.field("token"), "present": PASSWORD, "chosen": "my own four words"}
    short = await browser.post("/console/password", sent | {"chosen": "short"})
    same = await browser.post("/console/password", sent | {"chosen": PASSWORD})
    wrong = await browser.post("/console/password", sent | {"present": "not it"})
    done = await browser.post("/console/password", sent)

    assert [one.status for one in (short, same, wrong)] == [422] * 3
    assert "at least 12 characters" in short.text.lower()
    assert (done.status, done.where) == (303, "/console")
    assert (await browser.get("/console")).status == 200


async def test_new_password_ends_all_other_sessions(browser: Browser, ledger: Ledger) -> None:
    user = await added(ledger, "siti")
    await browser.sign_in("siti")
    elsewhere = sessions.new_token()
    async with ledger.write() as db:
        now = user.created_at
        await sessions.begin(db, user.id, elsewhere, "another browser", now)
    form = await browser.get("/console/password")

    sent = {"token": form.tags.field("token"), "present": PASSWORD, "chosen": "my own four words"}
    await browser.post("/console/password", sent)

    async with ledger.read() as db:
        assert await sessions.find(db, elsewhere) is None
    assert (await browser.get("/console")).status == 200


async def test_code_is_asked_for_after_the_password_and_serves_once(
    browser: Browser, ledger: Ledger
) -> None:
    user, secret = await added(ledger, "siti"), totp.new_secret()
    async with ledger.write() as db:
        await users.set_totp(db, user.id, secret)
    code = totp.code_at(secret, int(await ledger.now() / SECOND // totp.STEP))

    asked = await browser.sign_in("siti")
    form = {name: asked.tags.field(name) for name in ("token", "passed", "next")}
    wrong = await browser.post("/console/login/code", form | {"code": "000000x"})
    no_session_yet = browser.cookie(SESSION)
    foreign = await browser.post(
        "/console/login/code", form | {"code": code, "passed": "usr_x.9.m"}
    )
    right = await browser.post("/console/login/code", form | {"code": code})

    assert (asked.status, wrong.status, foreign.status) == (200, 422, 422)
    assert no_session_yet is None
    assert (right.status, right.where) == (303, "/console")
    async with browsing(house_of(ledger)) as another:
        asked = await another.sign_in("siti")
        form = {name: asked.tags.field(name) for name in ("token", "passed", "next")}
        again = await another.post("/console/login/code", form | {"code": code})
        assert again.status == 422
