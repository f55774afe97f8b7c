"""A web server on loopback that hears callbacks, as the service would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    url: str
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Ear:
    """Answers with `answers` in turn, then 204; remembers what it heard."""

    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    def said(self, name: str) -> list[str]:
        return [heard.form[name] for heard in self.heard if name in heard.form]

    async def _hear(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.heard.append(
            Heard(url=str(request.url), form=form, headers=dict(request.headers.items()))
        )
        status, text = self.answers.pop(0) if self.answers else (204, "")
        return web.Response(status=status, text=text, content_type="text/xml")


@asynccontextmanager
async def listening(*answers: tuple[int, str]) -> AsyncIterator[Ear]:
    ear = Ear(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", ear._hear)
    async with TestServer(app) as server:
        ear.url = str(server.make_url("/"))
        yield ear


async def eventually(question: Callable[[], Any], within: float = 10.0) -> Any:
    """Return the first answer that is true; fail when the deadline has passed."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        if answer := question():
            return answer
        assert asyncio.get_running_loop().time() < deadline, "it never became true"
        await asyncio.sleep(0.005)
