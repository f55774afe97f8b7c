"""What a request meets at the provider's door: the faults that a fate or a switch asks for."""

import asyncio

from aiohttp import web

from simulator.behaviour import Behaviour
from simulator.faults import Fault
from simulator.magic import Door

#: How long a request that is never answered is held before its connection is closed.
HOLDS = 60.0

_PAGE = "<html><body><h1>Bad gateway</h1><p>Nothing here is JSON.</p></body></html>"

#: Doors behind which the request was accepted, whatever is answered.
BOOKED = {
    Door.OPEN,
    Door.BROKEN_BOOKED,
    Door.SILENT_BOOKED,
    Door.GARBAGE_BOOKED,
    Door.CLOSED_BOOKED,
}


#: Doors that answer with one of the provider's numbers.
_CODE = {
    Door.THROTTLED: 20429,
    Door.DENIED: 20003,
    Door.BROKEN: 20500,
    Door.BROKEN_BOOKED: 20500,
}

#: The same for the switch `fail`.
_FAILURE = {"401": 20003, "403": 20005, "429": 20429, "500": 20500, "503": 20503}


async def at_the_door(door: Door, code: int, request: web.Request) -> web.StreamResponse:
    """Answer what a door that is not open answers; a refusal says `code`."""
    match door:
        case Door.SILENT | Door.SILENT_BOOKED:
            return await held(request)
        case Door.CLOSED_BOOKED:
            return closed(request)
        case Door.GARBAGE | Door.GARBAGE_BOOKED:
            return web.Response(text=_PAGE, content_type="text/html")
        case Door.ELSEWHERE:
            return web.Response(status=301, headers={"Location": "/elsewhere"})
        case _:
            return Fault(_CODE.get(door, code), "by the table of magic").answer()


async def failing(behaviour: Behaviour, request: web.Request) -> web.StreamResponse | None:
    """Answer in place of the whole API, if a switch says so."""
    if behaviour.delay:
        await asyncio.sleep(behaviour.delay)
    if behaviour.fail is None:
        return None
    if behaviour.fail == "hang":
        return await held(request)
    if behaviour.fail == "close":
        return closed(request)
    return Fault(_FAILURE[behaviour.fail]).answer()


async def held(request: web.Request) -> web.Response:
    """Leave the caller waiting."""
    await asyncio.sleep(HOLDS)
    return closed(request)


def closed(request: web.Request) -> web.Response:
    """Close the connection; the response is for the framework and reaches nobody."""
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)
