"""What people and tests ask the simulator itself: what everyone got, and how to misbehave."""

import json
from collections.abc import Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import islice
from typing import Any

from aiohttp import web

from simulator.behaviour import BehaviourError
from simulator.book import Kind, Record, as_line
from simulator.carrier import Carrier
from simulator.inbound import Inbound
from simulator.rules import is_number

#: How many messages are shown unless told otherwise, and at most.
SHOWN, MOST = 100, 10_000


class Control:
    """The handlers that no carrier has."""

    def __init__(self, carrier: Carrier, inbound: Inbound) -> None:
        self._carrier = carrier
        self._inbound = inbound

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/livez", self._livez),
            web.get("/messages", self._messages),
            web.get("/book", self._book),
            web.get("/control/behaviour", self._behaviour),
            web.post("/control/behaviour", self._switch),
            web.post("/control/inbound", self._receive),
        ]

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "records": len(self._carrier.book)})

    async def _messages(self, request: web.Request) -> web.Response:
        """Newest first; `after` is the `seq` of a record, and shows only later ones."""
        query = request.query
        try:
            kind = Kind(query["kind"]) if "kind" in query else None
            limit, after = int(query.get("limit", SHOWN)), int(query.get("after", 0))
        except ValueError as error:
            return _bad(str(error))
        if not 1 <= limit <= MOST:
            return _bad(f"limit must be from 1 to {MOST}")
        found = (
            record
            for record in self._carrier.book.newest(kind, query.get("to"))
            if record.kind is not Kind.INBOUND and record.status != "refused"
        )
        shown = [as_seen(record) for record in islice(found, limit) if record.seq > after]
        return web.json_response(shown)

    async def _book(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        records = self._carrier.book.all()
        while page := list(islice(records, 500)):
            lines = "".join(json.dumps(as_line(record)) + "\n" for record in page)
            await answer.write(lines.encode())
        await answer.write_eof()
        return answer

    async def _behaviour(self, _request: web.Request) -> web.Response:
        return web.json_response(self._carrier.behaviour.as_json())

    async def _switch(self, request: web.Request) -> web.Response:
        given = await _json_object(request)
        if given is None:
            return _bad("the body must be a JSON object")
        try:
            self._carrier.behaviour.switch(given)
        except BehaviourError as error:
            return _bad(str(error))
        return web.json_response(self._carrier.behaviour.as_json())

    async def _receive(self, request: web.Request) -> web.Response:
        """Let a person send an SMS; answers when the service has answered."""
        given = await _json_object(request)
        if given is None or not {"from", "to", "body"} <= given.keys():
            return _bad('write {"from": "+62…", "to": "+1…", "body": "1"}')
        person, ours, body = str(given["from"]), str(given["to"]), str(given["body"])
        if not is_number(person):
            return _bad("from is no number in E.164")
        extra = given.get("extra", {})
        if not isinstance(extra, dict):
            return _bad("extra must be an object")
        further = {str(name): str(value) for name, value in extra.items()}
        record, heard = await self._inbound.send(person, ours, body, further)
        return web.json_response({"id": record.id, "status": heard.status, "answer": heard.body})


def as_seen(record: Record) -> dict[str, Any]:
    """Return what the recipient would have got, and what became of it."""
    seen: dict[str, Any] = {
        "seq": record.seq,
        "kind": record.kind,
        "id": record.id,
        "to": record.to,
        "from": record.sender,
        "at": record.at,
        "status": record.status,
        "code": record.code or None,
        "text": record.text,
    }
    match record.kind:
        case Kind.EMAIL:
            seen |= _mail(record)
        case Kind.VOICE:
            seen |= {
                "text": "\n".join(text for text, _ in record.heard),
                "heard": [{"text": text, "language": language} for text, language in record.heard],
                "key": record.key,
                "answered_by": record.answered_by,
            }
        case Kind.WEBHOOK:
            seen["headers"] = record.params["headers"]
        case Kind.SMS | Kind.INBOUND:
            pass
    return seen


def _mail(record: Record) -> dict[str, Any]:
    raw = record.params["raw"].encode("utf-8", "surrogateescape")
    mail = message_from_bytes(raw, policy=default)
    return {
        "subject": str(mail.get("Subject", "")),
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "text": _part(mail, "plain"),
        "html": _part(mail, "html"),
        "envid": record.params.get("envid"),
    }


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    try:
        return str(part.get_content()) if part else ""
    except (LookupError, UnicodeError):
        return ""


async def _json_object(request: web.Request) -> Mapping[str, Any] | None:
    try:
        given = json.loads(await request.read())
    except ValueError:
        return None
    return given if isinstance(given, dict) else None


def _bad(why: str) -> web.Response:
    return web.json_response({"error": why}, status=400)
