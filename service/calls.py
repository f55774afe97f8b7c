"""One request to the API: who calls, what they sent, what they get."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from kentongan.access import Act, Extent, Role, masked
from kentongan.ids import KeyId
from ledger.engine import Ledger
from service.access import Access
from service.web.openapi import Op, Reply
from service.web.problems import ProblemError
from service.web.reading import read_parts
from service.wiring import HOUSE, Bell, House

OpenT = TypeVar("OpenT")


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler gets beside the parts of the request."""

    request: web.Request
    house: House
    access: Access
    extent: Extent  # of the operation's `may`

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return self.house.ledger

    @property
    def queue(self) -> Bell:
        """The doorbell."""
        return self.house.queue

    @property
    def caller(self) -> KeyId:
        """Who asks: the actor of audit rows, the maker of alerts."""
        return self.access.id

    def now(self) -> datetime:
        """Return the present instant, with the rehearsal's offset."""
        return self.house.now()

    def may_see(self, made_by: str) -> bool:
        """Tell whether something is within reach: foreign things answer 404."""
        return self.extent is not Extent.OWN or made_by == self.caller

    def shown(self, address: str) -> str | None:
        """Return an address as this caller may see it; None: not at all."""
        match self.extent:
            case Extent.ALL:
                return address
            case Extent.MASKED:
                return masked(address)
            case Extent.OWN:
                return None


def serving(op: Op) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the aiohttp handler of an operation."""

    async def serve(request: web.Request) -> web.StreamResponse:
        here = request.app[HOUSE]
        call = await _admitted(request, here, op.may) if op.may else None
        if call is not None and op.in_turn and call.access.key.role is Role.INTEGRATION:
            async with here.pressure.turn(here.lag()):
                return await _served(op, request, call)
        return await _served(op, request, call)

    return serve


async def _served(op: Op, request: web.Request, call: Call | None) -> web.StreamResponse:
    parts = await read_parts(request, op.parts)
    return _response(op, await op.handler(call or request, **parts))


async def _admitted(request: web.Request, here: House, act: Act) -> Call:
    authorization = request.headers.getall("Authorization", [])
    if len(authorization) > 1:
        raise ProblemError(400, "There are several Authorization headers.", fix="Send one.")
    access = await here.gate.admit(
        authorization[0] if authorization else None, request.remote or ""
    )
    return Call(request, here, access, access.extent(act))


def _response(op: Op, answer: object) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    if isinstance(answer, Reply):
        return answer.response()
    if answer is None or isinstance(answer, BaseModel):
        return Reply(answer, op.status).response()
    raise TypeError(f"{op.name} answered {type(answer).__name__}")
