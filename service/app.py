"""Puts the HTTP service together: routes, and what surrounds every one of them."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

from aiohttp import web

from ledger.engine import LedgerAwayError
from service import health
from service.calls import serving
from service.web import docs_page
from service.web.hosts import Hosts
from service.web.idle import Idle
from service.web.openapi import Api, Op
from service.web.problems import ProblemError
from service.web.reading import check_target
from service.web.spec import Json, describe
from service.wiring import HOUSE, House

log = logging.getLogger(__name__)

#: Each has `api = Api("heading")`; /docs follows this order.
API_MODULES = (
    "service.api.alerts",
    "service.api.deliveries",
    "service.api.dead_letters",
    "service.api.recipients",
    "service.api.imports",
    "service.api.groups",
    "service.api.suppressions",
    "service.api.caps",
    "service.api.providers",
    "service.api.keys",
    "service.health",
)
#: Each has `routes = web.RouteTableDef()`: other people's protocols, no part of /openapi.json.
ROUTE_MODULES = ("service.callbacks", "service.recipient_page", "service.console.pages")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: aiohttp would name itself and its version where nothing stands.
SERVED_BY = {"Server": "kentongan"}

_BEGUN: web.RequestKey[web.StreamResponse] = web.RequestKey("begun", web.StreamResponse)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(house: House, apis: Sequence[Api] | None = None) -> web.Application:
    """Put the parts in their places. Whoever opened the house closes it.

    `apis` are those of `API_MODULES` unless given.
    """
    app = web.Application(middlewares=[_surround], client_max_size=1024 * 1024)
    app[HOUSE] = house
    app[IDLE] = Idle()
    app[_HOSTS] = Hosts(
        public_url=house.settings.public_url,
        bound=house.settings.http_host,
        further=house.settings.hosts,
    )
    ops = [op for api in apis or _apis() for op in api.ops]
    app.add_routes([web.route(op.method, op.path, serving(op)) for op in ops])
    app.add_routes(_shut(ops))
    for module in filter(find_spec, ROUTE_MODULES):
        app.add_routes(import_module(module).routes)
    docs_page.add_to(app, spec_of(ops))
    app.router.add_get("/", _front_door)
    app.on_response_prepare.append(_dress)
    return app


_HOSTS: web.AppKey[Hosts] = web.AppKey("hosts", Hosts)
IDLE: web.AppKey[Idle] = web.AppKey("idle", Idle)


def _shut(ops: Sequence[Op]) -> list[web.RouteDef]:
    """Close plain paths that a path with a parameter fits as well, as `import` fits an id.

    What they cannot do would be looked for there, and be a 404.
    """
    fitting = [re.sub(r"{\w+}", "[^/]+", op.path) for op in ops if "{" in op.path]
    shut = {op.path for op in ops if any(re.fullmatch(path, op.path) for path in fitting)}
    allowed = {path: [op.method for op in ops if op.path == path] for path in sorted(shut)}
    return [
        web.route("*", path, partial(_not_allowed, methods))
        for path, methods in allowed.items()
        if "{" not in path
    ]


async def _not_allowed(methods: Sequence[str], request: web.Request) -> web.StreamResponse:
    raise web.HTTPMethodNotAllowed(request.method, methods)


async def _front_door(request: web.Request) -> web.Response:
    """Lead people to the console, and whoever tries the address by hand to what can be asked here.

    Browsers ask for text/html by name; curl and HTTP libraries take anything.
    """
    is_browser = "text/html" in request.headers.get("Accept", "")
    where = "/console" if is_browser else "/docs"
    return web.Response(status=303, headers={"Location": where, "Vary": "Accept"})


def _apis() -> list[Api]:
    return [import_module(module).api for module in filter(find_spec, API_MODULES)]


def operations() -> list[Op]:
    """Return every operation of the API, in the order of /docs."""
    return [op for api in _apis() for op in api.ops]


def spec_of(ops: list[Op]) -> Json:
    """Return /openapi.json."""
    return describe(
        ops,
        title="Kentongan",
        version=version("kentongan"),
        description="Warns many people at once, until it knows who was reached.",
    )


@web.middleware
async def _surround(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Check what holds for every request, make every failure a problem, count the answer."""
    began = time.monotonic()
    with request.app[IDLE].busy(request.transport):
        answer = await _answered(request, handler)
    metrics = request.app[HOUSE].metrics
    metrics.answered(request, answer.status, time.monotonic() - began)
    if answer.status == 401:
        metrics.refused_keys.inc()
    return answer


async def _answered(request: web.Request, handler: _Handler) -> web.StreamResponse:
    answer = await _or_problem(request, handler)
    begun: web.StreamResponse | None = request.get(_BEGUN)
    if begun is None or begun is answer:
        return answer
    # A stream broke off: only a cut connection tells the client that what it has is not all.
    if request.transport:
        request.transport.abort()
    return begun


async def _or_problem(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        _check(request)
        return await handler(request)
    except ProblemError as error:
        return error.response()
    except LedgerAwayError as error:
        log.warning("ledger is away", extra={"route": _route(request), "cause": str(error)})
        return away().response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _as_problem(error).response()
    except Exception:  # the door's own: nobody above us could answer any more
        instance = f"urn:kentongan:bug:{secrets.token_hex(8)}"
        log.exception("unhandled", extra={"route": _route(request), "instance": instance})
        return _bug(instance).response()


def _check(request: web.Request) -> None:
    # Probes call a pod by its address, and have nothing to read there.
    if request.path not in health.OPEN_TO_ALL_HOSTS:
        request.app[_HOSTS].check(request.headers.get("Host"))
    check_target(request.raw_path)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError(415, "The body is compressed.", fix="Send it as it is.")


def away() -> ProblemError:
    """Return the 503 of a ledger that cannot be reached: nothing was done."""
    return ProblemError(
        503,
        "The record cannot be reached; nothing was done.",
        fix="Send the request again, with the same Idempotency-Key.",
        headers={"Retry-After": "2"},
    )


def _as_problem(error: web.HTTPException) -> ProblemError:
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    fix = {404: "See /docs for what there is.", 405: "See Allow for what goes here."}
    return ProblemError(error.status, fix=fix.get(error.status), headers=kept)


def _bug(instance: str) -> ProblemError:
    return ProblemError(
        500,
        "This is a fault of ours.",
        fix="Tell the operator this instance; the log has the cause.",
        instance=instance,
    )


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else '?'}"


async def _dress(request: web.Request, answer: web.StreamResponse) -> None:
    request[_BEGUN] = answer
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.update(SERVED_BY)
