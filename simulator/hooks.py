"""Somebody else's webhook receiver: takes what it is sent, and misbehaves by its name."""

import asyncio
from secrets import token_hex

from aiohttp import web

from simulator.book import Kind, Record
from simulator.carrier import Carrier
from simulator.doors import closed, held
from simulator.magic import Hook

SLOW = 3.0

#: Answers that leave the sender in doubt whether it was heard: it was.
_HEARD = {Hook.OK, Hook.NO_CONTENT, Hook.SLOW, Hook.HANG, Hook.ENDLESS, Hook.GARBAGE, Hook.CLOSE}

#: What is answered at once: status and headers; 200 where it is not listed.
_PLAIN: dict[Hook, tuple[int, dict[str, str]]] = {
    Hook.NO_CONTENT: (204, {}),
    Hook.BAD: (400, {}),
    Hook.NOT_FOUND: (404, {}),
    Hook.GONE: (410, {}),
    Hook.THROTTLED: (429, {"Retry-After": "2"}),
    Hook.BROKEN: (500, {}),
    Hook.AWAY: (503, {}),
    Hook.FLAKY: (503, {}),
    Hook.REDIRECT: (302, {"Location": "/hook/ok/redirected"}),
}


class Hooks:
    """One listener with many names; each request is booked before it is answered."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/hook/{name}", self._hear),
            web.post("/hook/{name}/{rest:.*}", self._hear),
        ]

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        hook = _hook_of(request.match_info["name"])
        body = await request.read()
        webhook_id = request.headers.get("webhook-id") or f"none_{token_hex(8)}"
        fate = self._carrier.chance.hook(hook, webhook_id)
        record = self._carrier.book.add(
            Record(
                kind=Kind.WEBHOOK,
                id=webhook_id,
                to=request.path,
                sender=request.headers.get("User-Agent", ""),
                at=self._carrier.now(),
                text=body.decode("utf-8", "replace"),
                params={"headers": {k.lower(): v for k, v in request.headers.items()}},
            )
        )
        status = "received" if fate in _HEARD else "refused"
        self._carrier.book.change(record.seq, status, record.at)
        return await _answer(fate, request)


def _hook_of(name: str) -> Hook:
    """Any other name is somebody's host, for whom we stand in: its receiver is well."""
    try:
        return Hook(name)
    except ValueError:
        return Hook.OK


async def _answer(hook: Hook, request: web.Request) -> web.StreamResponse:
    match hook:
        case Hook.HANG:
            return await held(request)
        case Hook.CLOSE:
            return closed(request)
        case Hook.GARBAGE:
            return _garbage(request)
        case Hook.ENDLESS:
            return await _endless(request)
        case Hook.SLOW:
            await asyncio.sleep(SLOW)
        case _:
            pass
    status, headers = _PLAIN.get(hook, (200, {}))
    return web.Response(status=status, headers=headers)


def _garbage(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.write(b"\x00\x01 this is no HTTP \xff\xfe\r\n\r\n")
        request.transport.close()
    return web.Response(status=500)


async def _endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"and so on, " * 1000)
        await asyncio.sleep(0.01)
