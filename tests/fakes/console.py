"""A browser at the console, as far as it has cookies and sends what stands in forms."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from typing_extensions import override

from kentongan.access import Role
from ledger.engine import Ledger
from service.app import build_app
from service.console.cookies import SESSION
from service.wiring import House
from tests.fakes import asked, running
from tests.fakes.house import Client, made_house
from tests.fakes.users import PASSWORD, added, logged_in

#: What a browser asks for, and where it says that a form comes from.
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Accept-Language": "en"}
PLAIN = {"KENTONGAN_PUBLIC_URL": "http://warn.example"}


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @override
    def handle_data(self, data: str) -> None:
        self.text += data

    def field(self, name: str) -> str:
        """Return the value of the first input of that name."""
        found = (a for tag, a in self.tags if tag == "input" and a.get("name") == name)
        return next(found).get("value") or ""


@dataclass
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]
    where: str = field(init=False)

    def __post_init__(self) -> None:
        self.where = self.headers.get("Location", "")

    @property
    def tags(self) -> Tags:
        return Tags(self.text)


class Browser:
    """Follows nothing by itself."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._ask("GET", path, headers=headers)

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        return await self._ask("POST", path, data=dict(form), headers=headers)

    async def _ask(self, method: str, path: str, *, headers: Any, data: Any = None) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(
            method, path, data=data, headers={**BROWSER, **named}, allow_redirects=False
        ) as got:
            return Answer(got.status, await got.text(), got.headers)

    async def sign_in(self, login: str, password: str = PASSWORD, **more: str) -> Answer:
        """Fill in the form and send it."""
        shown = await self.get("/console/login")
        token = shown.tags.field("token")
        form = {"token": token, "next": "", "login": login, "password": password}
        return await self.post("/console/login", form | more)

    def cookie(self, name: str) -> str | None:
        return next((one.value for one in self.client.session.cookie_jar if one.key == name), None)

    def plant(self, name: str, value: str) -> None:
        """Have a cookie as if the console had given it."""
        held: SimpleCookie = SimpleCookie({name: value})
        held[name]["path"] = "/console"
        self.client.session.cookie_jar.update_cookies(held, self.client.make_url("/console"))


def house_of(ledger: Ledger, **environ: str) -> House:
    """Return a house that browsers reach without TLS, so that their cookies come back."""
    return made_house(ledger, environ={**PLAIN, **environ})


@asynccontextmanager
async def browsing(house: House) -> AsyncIterator[Browser]:
    """Open a browser, with a cookie jar of its own, on a service of its own."""
    server = TestServer(build_app(house), auto_decompress=False)
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as client:
        yield Browser(client)


async def enter(browser: Browser, ledger: Ledger, role: Role, locale: str = "en") -> None:
    """Have a new user of that role signed in, without the tenth of a second of a password."""
    user = await added(ledger, f"a.{role}.{locale}", role=role, locale=locale)
    browser.plant(SESSION, await logged_in(ledger, user))


@dataclass(frozen=True)
class Scene:
    """An alert in the midst of its life, and the addresses of its pages."""

    alert: str
    person: str

    @property
    def pages(self) -> list[str]:
        path = f"/console/alerts/{self.alert}"
        return [
            "/console",
            path,
            f"{path}/receipts",
            f"{path}/people",
            f"{path}/people/{self.person}",
            "/console/password",
        ]


async def scene(ledger: Ledger, *, name: str = "Siti", **changes: Any) -> Scene:
    """Write an alert that asked two people something: one can be reached twice, one not at all."""
    made = await running.expanded(
        ledger,
        {name: [("sms", "+628111000001"), ("email", "siti@example.org")], "Budi": []},
        options=(asked.SAFE, asked.HELP),
        **changes,
    )
    return Scene(made.alert.id, made.page.people[0].id)
