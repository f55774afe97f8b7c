"""Whoever holds the link answers and opts out with it; nobody else does."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from kentongan.alert import Mode
from kentongan.delivery import State, Work
from kentongan.ids import new_delivery_id
from kentongan.response_link import token_of
from ledger.engine import Ledger
from service.recipient_page import LIFE_AFTER, MOST_POSTS
from tests.fakes import asked
from tests.fakes.house import KEYRING, Client
from tests.fakes.page import MAIL, OTHER_KEY, is_stopped, mailed, path_of, seen, sent

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def test_chosen_answer_is_kept_and_shown(client: Client, ledger: Ledger) -> None:
    one = await mailed(ledger)
    path = path_of(one)

    status, where = await sent(client, path, option="2")

    assert (status, where) == (303, path.removeprefix("/r/"))
    assert await asked.answers(ledger, one) == [("2", "page", True)]
    assert (await asked.row_of(ledger, one)).state == State.ACKNOWLEDGED
    assert "Your answer has been received:" in await seen(client, path)


async def test_later_answer_is_kept_beside_the_first(client: Client, ledger: Ledger) -> None:
    one = await mailed(ledger)
    for key in ("1", "2"):
        await sent(client, path_of(one), option=key)

    page = await seen(client, path_of(one))

    assert await asked.answers(ledger, one) == [("1", "page", True), ("2", "page", False)]
    assert page.index("I am safe") < page.index("You added later:")
    assert "Your first answer counts. A later one is kept and shown to the team" in page


async def test_answer_ends_the_wait_for_another_try(client: Client, ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    one = await asked.delivery(ledger, alert, channel="email", address=MAIL, work=Work.RETRY_WAIT)

    await sent(client, path_of(one), option="1")

    assert (await asked.row_of(ledger, one)).work == Work.SETTLED


@pytest.mark.parametrize(
    "form", [{}, {"option": ""}, {"option": "9"}, {"option": "read"}, {"x": "1"}]
)
async def test_form_without_a_choice_is_shown_again(
    client: Client, ledger: Ledger, form: dict[str, str]
) -> None:
    one = await mailed(ledger)

    status, page = await sent(client, path_of(one), **form)

    assert status == 422
    assert "Choose an answer first." in page
    assert await asked.answers(ledger, one) == []


async def test_where_nothing_is_asked_the_person_says_that_it_was_read(
    client: Client, ledger: Ledger
) -> None:
    one = await mailed(ledger, options=())
    assert "I have read this message" in await seen(client, path_of(one))

    assert (await sent(client, path_of(one)))[0] == 422
    assert (await sent(client, path_of(one), option="read"))[0] == 303

    assert await asked.answers(ledger, one) == [("", "page", True)]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("more", ["", "/unsubscribe"])
async def test_forged_token_opens_nothing(
    client: Client, ledger: Ledger, method: str, more: str
) -> None:
    one = await mailed(ledger)
    forged = [token_of(OTHER_KEY, one), one, "x", token_of(KEYRING, one)[:-1]]

    for token in forged:
        form = {"option": "1", "confirm": "yes"} if method == "post" else None
        async with client.request(method, f"/r/{token}{more}", data=form) as answer:
            assert answer.status == 404
            assert "Flood" not in await answer.text()

    assert await asked.answers(ledger, one) == []
    assert not await is_stopped(ledger)


@pytest.mark.parametrize("more", ["", "/unsubscribe"])
async def test_page_closes_a_week_after_its_alert(
    client: Client, ledger: Ledger, more: str
) -> None:
    over = await mailed(ledger, lives=-LIFE_AFTER - 60)
    old = await mailed(ledger, lives=-LIFE_AFTER + 60)
    gone = new_delivery_id()

    assert (await sent(client, path_of(over) + more, option="1", confirm="yes"))[0] == 410
    await seen(client, path_of(over) + more, 410)
    await seen(client, path_of(gone) + more, 410)
    await seen(client, path_of(old) + more)

    assert await asked.answers(ledger, over) == []
    assert not await is_stopped(ledger)


async def test_opting_out_is_asked_for_and_confirmed(client: Client, ledger: Ledger) -> None:
    one = await mailed(ledger)
    waiting = await asked.delivery(
        ledger, await asked.alert(ledger), channel="email", address=MAIL, work=Work.PENDING
    )
    path = path_of(one)
    assert "Stop messages to s…@example.org" in await seen(client, path)
    assert "not even in an emergency" in await seen(client, f"{path}/unsubscribe")

    assert (await sent(client, f"{path}/unsubscribe"))[0] == 303
    assert not await is_stopped(ledger)
    status, where = await sent(client, f"{path}/unsubscribe", confirm="yes")

    assert (status, where) == (303, f"../{path.removeprefix('/r/')}")
    assert await is_stopped(ledger)
    assert (await asked.row_of(ledger, waiting)).work == Work.SUPPRESSED
    page = await seen(client, path)
    assert "Messages to s…@example.org are stopped." in page
    assert "/unsubscribe" not in page


@pytest.mark.parametrize("more", ["", "/unsubscribe"])
@pytest.mark.parametrize("multipart", [True, False])
async def test_button_of_a_mail_program_stops_at_once(
    client: Client, ledger: Ledger, more: str, *, multipart: bool
) -> None:
    one = await mailed(ledger)
    field = 'Content-Disposition: form-data; name="List-Unsubscribe"'
    asked_for: dict[str, Any] = {"data": ONE_CLICK}
    if multipart:
        asked_for = {
            "data": f"--b\r\n{field}\r\n\r\nOne-Click\r\n--b--\r\n".encode(),
            "headers": {"Content-Type": 'multipart/form-data; boundary="b"'},
        }

    async with client.post(path_of(one) + more, allow_redirects=False, **asked_for) as answer:
        assert answer.status == 200

    assert await is_stopped(ledger)
    assert await asked.answers(ledger, one) == []


async def test_opting_out_of_a_test_touches_nothing_real(client: Client, ledger: Ledger) -> None:
    one = await mailed(ledger, mode=Mode.TEST)
    assert "/unsubscribe" not in await seen(client, path_of(one))

    for more, form in (("", ONE_CLICK), ("/unsubscribe", {"confirm": "yes"})):
        status, page = await sent(client, path_of(one) + more, **form)
        assert (status, "Nothing was stopped." in page) == (200, True)

    assert not await is_stopped(ledger)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"option=%ff"),
        ("application/x-www-form-urlencoded", b"&" * 1000),
        ("multipart/form-data", b"--\r\n\r\n"),
        ("multipart/form-data; boundary=\xc3\xa9", b'--\xc3\xa9\r\nname="option"\r\n\r\n1'),
        ("text/plain", b"\x00\xff"),
    ],
)
async def test_unreadable_form_says_nothing(
    client: Client, ledger: Ledger, kind: str | bytes, body: bytes
) -> None:
    one = await mailed(ledger)

    async with client.post(path_of(one), data=body, headers={"Content-Type": str(kind)}) as answer:
        assert answer.status == 422

    assert await asked.answers(ledger, one) == []


async def test_huge_form_is_refused(client: Client, ledger: Ledger) -> None:
    one = await mailed(ledger)

    assert (await sent(client, path_of(one), option="1" * 20_000))[0] == 413


async def test_loop_over_one_page_is_slowed_and_no_other_page_is(
    client: Client, ledger: Ledger
) -> None:
    one, other = await mailed(ledger), await mailed(ledger)

    got = [(await sent(client, path_of(one), option="1"))[0] for _ in range(MOST_POSTS + 1)]

    assert got == [303] * MOST_POSTS + [429]
    assert (await sent(client, path_of(other), option="1"))[0] == 303
    await seen(client, path_of(one))


async def test_away_ledger_is_said_on_a_page(
    client: Client, ledger: Ledger, tmp_path: Path
) -> None:
    one = await mailed(ledger)
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        status, page = await sent(client, path_of(one), option="1")
        other.execute("ROLLBACK")
    other.close()

    assert status == 503
    assert "belum ada yang tersimpan" in page.lower()
    assert await asked.answers(ledger, one) == []
