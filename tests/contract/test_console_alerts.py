"""What the console shows of an alert, its people and its receipts; words of others stay text."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from kentongan.access import Role
from kentongan.alert import Option, Words
from kentongan.delivery import Work
from kentongan.receipt import RANK, ReceiptKind
from ledger.engine import Ledger
from ledger.responses import respond
from tests.fakes import running
from tests.fakes.console import Browser, browsing, enter, house_of, scene


@pytest.fixture
async def browser(ledger: Ledger) -> AsyncIterator[Browser]:
    async with browsing(house_of(ledger)) as opened:
        yield opened


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "</textarea></title></style><svg/onload=alert(1)>",
    "\u202egnp.exe\u2066",
    "%(num)s &lt;b&gt;",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_words_of_others_are_shown_as_text(
    browser: Browser, ledger: Ledger, text: str
) -> None:
    it = await running.expanded(
        ledger,
        {text: [("sms", "+628111000001")]},
        words={"en": Words(headline=text, text=text)},
        options=(Option(key="1", label={"en": text}),),
    )
    delivery = it.delivery("+628111000001")
    said = {"outcome": "refused", "reason": "rejected", "detail": text, "provider": text}
    await running.tried(ledger, it.alert.id, delivery, **said)
    await running.becomes(ledger, delivery, work=Work.FAILED, reason="rejected")
    async with ledger.write() as db:
        await respond(db, delivery, text, "sms", it.alert.accepted_at)
    await enter(browser, ledger, Role.OFFICER)
    path = f"/console/alerts/{it.alert.id}"

    for page in [
        "/console",
        path,
        f"{path}/receipts?q={quote(text)}",
        f"{path}/people",
        f"{path}/people/{it.page.people[0].id}",
    ]:
        answer = await browser.get(page)
        assert answer.status == 200
        tags = answer.tags
        assert "script" not in {tag for tag, _ in tags.tags}
        assert not any(name.startswith("on") for _, attrs in tags.tags for name in attrs)
        assert "\u202e" not in tags.text
        assert text.replace("\u202e", "\ufffd202E").replace(
            "\u2066", "\ufffd2066"
        ) in tags.text or ("receipts" in page)


async def test_counts_come_first_and_lead_to_their_people(browser: Browser, ledger: Ledger) -> None:
    it = await running.expanded(
        ledger, {"Siti": [("sms", "+628111000001")], "Budi": [("sms", "+628111000002")], "Wati": []}
    )
    delivered = it.delivery("+628111000001")
    await running.becomes(ledger, delivered, work=Work.SETTLED, receipt=RANK[ReceiptKind.DELIVERED])
    await enter(browser, ledger, Role.AUDITOR)
    path = f"/console/alerts/{it.alert.id}"

    alert = await browser.get(path)
    reached = await browser.get(f"{path}/people?state=reached")
    waiting = await browser.get(f"{path}/receipts?state=waiting")
    none = await browser.get(f"{path}/people?state=no_contact_point")

    assert "3 people" in alert.text
    assert f'href="{path}/people?state=reached"><b>1</b>' in alert.text
    assert ("Siti" in reached.text, "Budi" in reached.text) == (True, False)
    assert ("Siti" in waiting.text, "Budi" in waiting.text) == (False, True)
    assert "Wati" in none.text


async def test_addresses_are_masked_in_lists_and_in_what_providers_say(
    browser: Browser, ledger: Ledger
) -> None:
    it = await running.expanded(ledger, {"Siti": [("sms", "+628111000001")]})
    delivery = it.delivery("+628111000001")
    said = {"outcome": "refused", "detail": "To +628111000001 is no mobile", "outcome_at": 1}
    await running.tried(ledger, it.alert.id, delivery, **said)
    await enter(browser, ledger, Role.ADMIN)
    path = f"/console/alerts/{it.alert.id}"

    for page in ("/receipts", f"/people/{it.page.people[0].id}"):
        answer = await browser.get(path + page)
        assert "8111000001" not in answer.text
        assert "+62…01" in answer.text


async def test_filter_that_is_not_known_is_left_out_and_said(
    browser: Browser, ledger: Ledger
) -> None:
    it = await scene(ledger)
    await enter(browser, ledger, Role.OFFICER)

    answer = await browser.get(f"/console/alerts/{it.alert}/receipts?state=nonsense&colour=red")

    assert answer.status == 200
    assert "left out: state, colour." in answer.text


async def test_many_receipts_come_page_by_page(browser: Browser, ledger: Ledger) -> None:
    people = {f"P{i:03}": [("sms", f"+62811100{i:04}")] for i in range(120)}
    it = await running.expanded(ledger, people)
    await enter(browser, ledger, Role.OFFICER)
    path = f"/console/alerts/{it.alert.id}/receipts"

    seen: list[str] = []
    query = "?channel=sms"
    for _ in range(3):
        answer = await browser.get(path + query)
        seen += re.findall(r"<bdi>(P\d{3})</bdi>", answer.text)
        following = [
            attrs["href"] or ""
            for tag, attrs in answer.tags.tags
            if tag == "a" and "after=dlv_" in (attrs.get("href") or "")
        ]
        query = following[0] if following else ""

    assert sorted(seen) == sorted(people)
    assert query == ""


async def test_running_alert_looks_again_unless_it_is_asked_to_keep_still(
    browser: Browser, ledger: Ledger
) -> None:
    it = await scene(ledger)
    await enter(browser, ledger, Role.OFFICER)

    moving = await browser.get(f"/console/alerts/{it.alert}")
    still = await browser.get(f"/console/alerts/{it.alert}?still=1")

    assert 'http-equiv="refresh"' in moving.text
    assert 'http-equiv="refresh"' not in still.text
