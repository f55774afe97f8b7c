"""Chromium goes the way of somebody who wonders whether Siti got it, on a phone and on a laptop."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright, expect

from kentongan.alert import Mode, Words
from kentongan.delivery import Work
from kentongan.receipt import RANK, ReceiptKind
from ledger import audit
from ledger.engine import Ledger
from ledger.responses import respond
from service.app import build_app
from tests.fakes import asked, running
from tests.fakes.console import house_of
from tests.fakes.running import Running
from tests.fakes.users import PASSWORD, added

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")

PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
#: Where pictures of the pages are kept, if anywhere.
PICTURES = os.environ.get("TEST_PICTURES")


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM)
        yield browser
        await browser.close()


async def flood(ledger: Ledger, mode: Mode) -> Running:
    """Write an alert that some got, one answered, and one cannot get."""
    people = {
        "Siti Rahayu": [("sms", "+628111000001"), ("email", "siti@example.org")],
        "Budi Santoso": [("sms", "+628111000002")],
        "Wati": [("sms", "+628111000003"), ("email", "wati@example.org")],
        "Agus Prasetyo": [],
    } | {f"Warga {n:02}": [("sms", f"+6281120000{n:02}")] for n in range(40)}
    it = await running.expanded(
        ledger,
        people,
        mode=mode,
        words={
            "id": Words(
                headline="Banjir rob di Semarang Utara",
                text="Air naik sampai 1 m pukul 16.30 WIB.\nSEGERA naik ke lantai 2.",
            ),
            "en": Words(
                headline="Tidal flood in North Semarang",
                text="Water will reach 1 m by 4.30 pm.\nMOVE NOW to the 2nd floor.",
            ),
        },
        options=(asked.SAFE, asked.HELP),
    )
    first, second = it.delivery("+628111000001"), it.delivery("+628111000002")
    await running.tried(
        ledger, it.alert.id, first, provider="main", outcome="accepted",
        outcome_at=it.alert.accepted_at + 400_000, provider_id="SM0123456789abcdef",
        receipt=RANK[ReceiptKind.DELIVERED], receipt_word="delivered",
    )  # fmt: skip
    await running.becomes(
        ledger, first, work=Work.SETTLED, receipt=RANK[ReceiptKind.DELIVERED], attempts=1
    )
    await running.tried(
        ledger, it.alert.id, second, provider="main", outcome="refused", reason="invalid_address",
        outcome_at=it.alert.accepted_at + 500_000, detail="The 'To' number +628111000002 is wrong",
    )  # fmt: skip
    await running.becomes(ledger, second, work=Work.FAILED, reason="invalid_address", attempts=1)
    for n in range(25):
        await running.becomes(
            ledger, it.delivery(f"+6281120000{n:02}"), work=Work.SETTLED,
            receipt=RANK[ReceiptKind.DELIVERED], attempts=1,
        )  # fmt: skip
    async with ledger.write() as db:
        await respond(db, first, "1", "sms", it.alert.accepted_at + 9_000_000)
        await audit.add(db, actor=it.alert.made_by, action="alert.accept", subject=it.alert.id)
    return it


@pytest.mark.parametrize(("size", "mode"), [(PHONE, Mode.ACTUAL), (LAPTOP, Mode.EXERCISE)])
@pytest.mark.parametrize("language", ["id", "en"])
async def test_somebody_finds_out_whether_siti_got_it(
    chromium: Browser, ledger: Ledger, size: dict[str, int], mode: Mode, language: str
) -> None:
    it = await flood(ledger, mode)
    await added(ledger, "rina", locale=language)
    async with TestServer(build_app(house_of(ledger)), auto_decompress=False) as server:
        context = await chromium.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            java_script_enabled=False,
            base_url=str(server.make_url("/")),
            locale=language,
        )
        page = await context.new_page()
        name = f"{language}-{size['width']}"

        await page.goto("/")
        await _taken(page, f"login-{name}")
        await page.fill("#login", "rina")
        await page.fill("#password", PASSWORD)
        await page.click("button[type=submit]")
        await _taken(page, f"home-{name}")
        await page.click("article a")
        await _taken(page, f"alert-{name}")
        await page.click(f'a[href$="/{it.alert.id}/receipts"]')
        await _taken(page, f"receipts-{name}")
        await page.click("text=Siti Rahayu >> nth=0")
        await _taken(page, f"person-{name}")

        await expect(page.locator("h1")).to_have_text("Siti Rahayu")
        await context.close()


async def _taken(page: Page, name: str) -> None:
    """Look whether all of it fits the width, and keep a picture if asked to."""
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)
    # The page's own scripts are off; the one who drives the browser may still ask.
    hidden = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert hidden <= 0, name
