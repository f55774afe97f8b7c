"""Twilio's REST API, as far as messages, calls and the account go."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from simulator import shapes
from simulator.book import Kind, Record
from simulator.calling import Calling
from simulator.carrier import API, Carrier
from simulator.doors import BOOKED, at_the_door, failing
from simulator.faults import Fault
from simulator.inbound import Inbound
from simulator.listing import Listing, listed
from simulator.magic import Door, Fate
from simulator.rules import fault_in_call, fault_in_message, first
from simulator.texting import Texting

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Form = dict[str, list[str]]

MESSAGES = Listing(kind=Kind.SMS, name="messages", shape=shapes.message)
CALLS = Listing(kind=Kind.VOICE, name="calls", shape=shapes.call)


class Rest:
    """The handlers, and what all of them ask first: whose account, and who is asking."""

    def __init__(
        self, carrier: Carrier, texting: Texting, calling: Calling, inbound: Inbound
    ) -> None:
        self._carrier = carrier
        self._texting = texting
        self._calling = calling
        self._inbound = inbound
        self._sid = carrier.settings.account_sid

    def routes(self) -> list[web.RouteDef]:
        base = f"/{API}/Accounts/{{account}}"
        guarded = self._guarded
        return [
            web.get(f"{base}.json", guarded(self._account)),
            web.post(f"{base}/Messages.json", guarded(self._create_message)),
            web.get(f"{base}/Messages.json", guarded(self._list(MESSAGES))),
            web.get(f"{base}/Messages/{{sid}}.json", guarded(self._fetch(MESSAGES))),
            web.post(f"{base}/Messages/{{sid}}.json", guarded(self._update_message)),
            web.post(f"{base}/Calls.json", guarded(self._create_call)),
            web.get(f"{base}/Calls.json", guarded(self._list(CALLS))),
            web.get(f"{base}/Calls/{{sid}}.json", guarded(self._fetch(CALLS))),
            web.post(f"{base}/Calls/{{sid}}.json", guarded(self._update_call)),
            web.route("*", f"/{API}/{{rest:.*}}", guarded(self._nowhere)),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if answer := await failing(self._carrier.behaviour, request):
                return answer
            if not self._is_known(request.headers.get("Authorization", "")):
                return Fault(20003).answer()
            if request.match_info.get("account", self._sid) != self._sid:
                return Fault(20404).answer()
            return await handler(request)

        return handle

    def _is_known(self, authorization: str) -> bool:
        """The account's SID or any API key's may ask, with the token."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return False
        is_token = hmac.compare_digest(
            password.encode(), self._carrier.settings.auth_token.encode()
        )
        return (
            scheme.lower() == "basic"
            and is_token
            and (user == self._sid or (user.startswith("SK") and len(user) == 34))
        )

    async def _account(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(shapes.account(self._sid))

    async def _nowhere(self, _request: web.Request) -> web.StreamResponse:
        return Fault(20404).answer()

    async def _create_message(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        if form is None:
            return Fault(20422, "the body is no form").answer()
        if fault := fault_in_message(form):
            return fault.answer()
        to = first(form, "To")
        if self._inbound.has_stopped(to, first(form, "From")):
            return Fault(21610).answer()
        fate = self._carrier.chance.number("sms", to)
        booked = self._texting.accept(to, form, fate) if fate.door in BOOKED else None
        return await self._answer(request, fate, MESSAGES, booked)

    async def _create_call(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        if form is None:
            return Fault(20422, "the body is no form").answer()
        if fault := fault_in_call(form):
            return fault.answer()
        to = first(form, "To")
        fate = self._carrier.chance.number("voice", to)
        booked = self._calling.accept(to, form, fate) if fate.door in BOOKED else None
        return await self._answer(request, fate, CALLS, booked)

    async def _answer(
        self, request: web.Request, fate: Fate, listing: Listing, booked: Record | None
    ) -> web.StreamResponse:
        if fate.door is Door.OPEN and booked:
            return web.json_response(listing.shape(self._sid, booked), status=201)
        return await at_the_door(fate.door, fate.code, request)

    async def _update_message(self, request: web.Request) -> web.StreamResponse:
        record, said = await self._record_and_form(request, Kind.SMS)
        if record is None:
            return Fault(20404).answer()
        if said == {"Body": ""}:
            return Fault(20422, "redaction is not simulated").answer()
        if said != {"Status": "canceled"}:
            return Fault(20422, "only Status=canceled can be asked of a message").answer()
        canceled = self._texting.cancel(record)
        if canceled is None:
            return Fault(30409, f"it is {record.status}").answer()
        return web.json_response(shapes.message(self._sid, canceled))

    async def _update_call(self, request: web.Request) -> web.StreamResponse:
        record, said = await self._record_and_form(request, Kind.VOICE)
        if record is None:
            return Fault(20404).answer()
        status = said.get("Status", "")
        if len(said) != 1 or status not in {"canceled", "completed"}:
            return Fault(20422, "only Status=canceled or completed can be asked of a call").answer()
        ended = self._calling.end(record, status)
        if ended is None:
            return Fault(21220, f"it is {record.status}").answer()
        return web.json_response(shapes.call(self._sid, ended))

    async def _record_and_form(
        self, request: web.Request, kind: Kind
    ) -> tuple[Record | None, Mapping[str, str]]:
        form = await _form(request) or {}
        record = self._carrier.book.find(kind, request.match_info["sid"])
        return record, {name: values[0] for name, values in form.items()}

    def _fetch(self, listing: Listing) -> Handler:
        async def fetch(request: web.Request) -> web.StreamResponse:
            if not self._carrier.behaviour.listing:
                return Fault(20503).answer()
            record = self._carrier.book.find(listing.kind, request.match_info["sid"])
            if record is None:
                return Fault(20404).answer()
            return web.json_response(listing.shape(self._sid, record))

        return fetch

    def _list(self, listing: Listing) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            if not self._carrier.behaviour.listing:
                return Fault(20503).answer()
            page: dict[str, Any] | Fault = listed(
                self._carrier.book, listing, self._sid, request.path, dict(request.query)
            )
            return page.answer() if isinstance(page, Fault) else web.json_response(page)

        return show


async def _form(request: web.Request) -> Form | None:
    """Read the body; None if it is no form in UTF-8."""
    if request.content_type != "application/x-www-form-urlencoded":
        return None
    try:
        body = (await request.read()).decode()
        pairs = parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        return None
    form: Form = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form
