"""`/callbacks/…`: what providers tell us is authenticated, written down, and only then answered."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from urllib.parse import unquote_plus

from aiohttp import web

from channels import AnyChannel
from kentongan.alert import Lane, Mode
from kentongan.channel import Answer, Callback, ForgedCallbackError
from kentongan.ids import AttemptRef
from kentongan.receipt import Inbound, Pressed, Receipt, Report
from ledger import events, inbound
from ledger.engine import Db, read_now
from ledger.events import NewEvent
from service.web.problems import ProblemError, missing
from service.web.reading import read_body
from service.wiring import House, house

log = logging.getLogger(__name__)

routes = web.RouteTableDef()

#: A provider's form is a few kB; more is nothing that we could have asked for.
LARGEST_FORM = 64 * 1024
MOST_FIELDS = 1000
#: Ids and words of providers have a few dozen characters. Longer ones are kept and not read: they
#: would not fit an index.
LONGEST_WORD = 500

#: Kinds of events that do not come this way: whoever saw a return path could post a bounce here.
_NOT_BY_HTTP = frozenset({"bounce", "poll", "late_outcome"})
_FORM = "application/x-www-form-urlencoded"

_REAL = frozenset({Mode.ACTUAL, Mode.EXERCISE})
_PRACTICE = frozenset({Mode.TEST})


@routes.post("/callbacks/{channel:[a-z0-9_-]{1,32}}/{kind:[a-z_]{1,32}}")
async def receive(request: web.Request) -> web.Response:
    """Keep what a provider reports, then say so. Whatever cannot be authenticated is a 403."""
    here, name = house(request), request.match_info["channel"]
    tellers = _tellers(here, name)
    if not tellers or request.match_info["kind"] in _NOT_BY_HTTP:
        raise missing("callback")
    try:
        answer = await _take(here, name, tellers, await _callback(request))
    except ForgedCallbackError:
        here.metrics.inbound.labels(name, "forged").inc()
        log.warning("callback refused", extra={"channel": name})
        raise ProblemError(403, "This callback is not from our provider.") from None
    return web.Response(text=answer.body, content_type=answer.content_type)


async def _callback(request: web.Request) -> Callback:
    """Free the request from the framework; raise `ForgedCallbackError` where it cannot be read."""
    raw = await read_body(request)
    if len(raw) > LARGEST_FORM:
        raise ProblemError(413, "The body is larger than 64 kB.", headers={"Connection": "close"})
    target = request.raw_path
    form = _fields(raw, MOST_FIELDS) if request.content_type == _FORM else {}
    return Callback(
        kind=request.match_info["kind"],
        # As it was signed: a Host header or a proxy's word for it would be the caller's choice.
        url=f"{house(request).deployment.public_url}{target}",
        query={name: values[0] for name, values in _fields(_query_of(target), 100).items()},
        headers=_headers(request),
        form=form,
        body=b"" if form else raw,
    )


def _headers(request: web.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for written, value in request.headers.items():
        name = written.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _query_of(target: str) -> bytes:
    return target.partition("?")[2].encode()


def _fields(encoded: bytes, most: int) -> dict[str, tuple[str, ...]]:
    """Read a form or query with all values of each name."""
    if encoded.count(b"&") >= most:
        raise ForgedCallbackError("it has more fields than we could have asked for")
    try:
        halves = [part.partition("=") for part in encoded.decode().split("&") if part]
        pairs = [(_plain(name), _plain(value)) for name, _, value in halves]
    except ValueError:
        raise ForgedCallbackError("it cannot be read in one way") from None
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found[name], value) if name in found else (value,)
    return found


def _plain(text: str) -> str:
    """Return a name or value without its escapes; nearly all of a provider's have none."""
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


async def take(here: House, name: str, callback: Callback) -> Answer:
    """Write a callback down, do what cannot wait, and return what its provider is told.

    `name` is the kind of channel that it came to: its own, or one that carries another. Raises
    `ForgedCallbackError` (nothing was written) and `LedgerAwayError` (neither).
    """
    return await _take(here, name, _tellers(here, name), callback)


async def _take(here: House, name: str, tellers: "Sequence[_Teller]", callback: Callback) -> Answer:
    teller = _who_told(tellers, name, callback)
    callback = _storable(callback)
    reports, answer = _read(teller.channel, callback)
    receipts = [report for report in reports if isinstance(report, Receipt)]
    waits = bool(receipts) or not reports
    legible = all(map(_is_legible, reports))
    event = NewEvent(
        channel=teller.channel.channel,
        kind=callback.kind,
        payload={**callback.to_json(), "provider": teller.channel.provider},
        attempt=_attempt_of(reports),
        joined_already=not (waits and legible),
    )
    if legible and len(receipts) < len(reports):
        async with here.ledger.write() as db:
            await events.keep_many(db, [event])
            verdicts = await _act(db, teller, reports)
    else:
        await here.event_group.keep(here.ledger, event)
        verdicts = ["receipt" for _ in reports] if legible and reports else ["unread"]
    for verdict in verdicts:
        here.metrics.inbound.labels(name, verdict).inc()
    if waits and legible:
        await here.queue.ring_receipts(_lane_of(callback.query))
    return answer


@dataclass(frozen=True, slots=True)
class _Teller:
    """Who may make a callback, and the modes of the alerts that it can speak of."""

    channel: AnyChannel
    modes: frozenset[Mode]


def _tellers(here: House, name: str) -> list[_Teller]:
    sides = ((here.channels, _REAL), (here.practising, _PRACTICE))
    return [_Teller(channel, modes) for side, modes in sides for channel in side.at(name)]


def _who_told(tellers: Sequence[_Teller], name: str, callback: Callback) -> _Teller:
    """Find who it is from. Where a deployment has only the simulator, one callback is of both."""
    theirs = [teller for teller in tellers if _is_from(teller.channel, callback)]
    if not theirs:
        raise ForgedCallbackError(f"{name} did not make it")
    if len(theirs) == 1:
        return theirs[0]
    return _Teller(theirs[0].channel, frozenset().union(*(teller.modes for teller in theirs)))


def _is_from(channel: AnyChannel, callback: Callback) -> bool:
    try:
        channel.authenticate(callback)
    except ForgedCallbackError:
        return False
    except Exception as bug:  # noqa: BLE001 - any doubt is a forgery; its words may be a stranger's
        log.error(  # noqa: TRY400 - a traceback would quote what was sent
            "authentication raised", extra={"channel": channel.name, "cause": type(bug).__name__}
        )
        return False
    return True


def _storable(callback: Callback) -> Callback:
    """Replace NUL, which no text of PostgreSQL's holds; what was signed has been checked before."""
    if "\0" not in "".join(chain(callback.form, *callback.form.values())):
        return callback
    form = {
        name.replace("\0", "\ufffd"): tuple(value.replace("\0", "\ufffd") for value in values)
        for name, values in callback.form.items()
    }
    return replace(callback, form=form)


def _read(channel: AnyChannel, callback: Callback) -> tuple[Sequence[Report], Answer]:
    """Read it; a bug in a channel must not lose what was said."""
    try:
        return channel.receipts(callback), channel.answer(callback)
    except Exception:
        log.exception("channel raised", extra={"channel": channel.name, "kind": callback.kind})
        return (), Answer()


def _is_legible(report: Report) -> bool:
    return all(len(word) <= LONGEST_WORD for word in _words_of(report) if word)


def _words_of(report: Report) -> tuple[str | None, ...]:
    match report:
        case Receipt():
            return report.provider_id, report.word, report.code
        case Pressed():
            return report.provider_id, report.key
        case Inbound():
            return report.provider_id, report.address, report.to


def _attempt_of(reports: Sequence[Report]) -> AttemptRef | None:
    named = (r.attempt for r in reports if isinstance(r, Receipt | Pressed))
    return next((attempt for attempt in named if attempt), None)


async def _act(db: Db, teller: _Teller, reports: Sequence[Report]) -> list[str]:
    """Do at once what people said; receipts are joined in bulk, by a worker."""
    name, modes = teller.channel.channel, teller.modes
    verdicts: list[str] = []
    for report in reports:
        match report:
            case Receipt():
                verdicts.append("receipt")
            case Pressed():
                now = await read_now(db)
                verdicts.append(await inbound.press(db, name, report, modes=modes, now=now))
            case Inbound():
                now = await read_now(db)
                provider = teller.channel.provider
                heard = inbound.hear(db, name, report, modes=modes, now=now, provider=provider)
                verdicts.append(await heard)
    return verdicts


def _lane_of(query: Mapping[str, str]) -> Lane:
    return Lane.FLASH if query.get("l") == Lane.FLASH else Lane.ROUTINE
