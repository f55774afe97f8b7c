"""What surrounds every page: who it is for, whether its form was ours, and failures as pages."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from aiohttp import web

from kentongan.access import Act, Extent, extent_of
from kentongan.clock import seconds
from ledger import sessions
from ledger.engine import LedgerAwayError, read_now
from ledger.sessions import SEEN_EVERY, Session
from service.console import cookies, forgery
from service.console.login import to
from service.console.rendering import page
from service.console.visit import Signed, Visit, visit_of
from service.web.forms import read_form
from service.web.problems import ProblemError
from service.wiring import house

log = logging.getLogger(__name__)

Handler = Callable[[Visit], Awaitable[web.Response]]

PASSWORD = "/console/password"  # noqa: S105 - a path
#: Open to somebody whose password is a one-time one.
_EARLY = frozenset({PASSWORD, "/console/logout"})


def serving(act: Act | None, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the aiohttp handler of a page; without an act it is for strangers too."""

    async def serve(request: web.Request) -> web.Response:
        visit = visit_of(request, house(request))
        return await _on_a_page(visit, partial(_admitted, act, handler))

    return serve


async def _admitted(act: Act | None, handler: Handler, visit: Visit) -> web.Response:
    if act is None:
        return await handler(visit)
    found = await _signed(visit, act)
    if found is None:
        return to_login(visit.request)
    return await _on_a_page(visit.of(found), partial(_guarded, act, handler))


async def _guarded(act: Act, handler: Handler, visit: Visit) -> web.Response:
    request, user = visit.request, visit.by.user
    if request.method == "POST":
        bound_to = forgery.of_session(visit.by.session.id)
        forgery.check(request, visit.house, await read_form(request), bound_to)
    if extent_of(user.role, act) is None:
        raise ProblemError(403)
    if user.must_change and request.path not in _EARLY:
        return to(PASSWORD)
    return await handler(visit)


async def _signed(visit: Visit, act: Act) -> Signed | None:
    token = visit.request.cookies.get(cookies.SESSION)
    if not token:
        return None
    async with visit.ledger.read() as db:
        found, now = await sessions.find(db, token), await read_now(db)
    if found is None:
        return None
    session, user = found
    await _note_use(visit, session, now)
    # Whoever may not go there is told so in their own language, and sees nothing else.
    return Signed(user, session, extent_of(user.role, act) or Extent.OWN)


async def _note_use(visit: Visit, session: Session, now: int) -> None:
    if now - session.seen_at < seconds(SEEN_EVERY):
        return
    async with visit.ledger.write() as db:
        await sessions.seen(db, session.id, now)


async def _on_a_page(visit: Visit, work: Handler) -> web.Response:
    try:
        return await work(visit)
    except LedgerAwayError as error:
        log.warning("ledger is away", extra={"route": "/console", "cause": str(error)})
        return page(visit, "notice", 503, {"Retry-After": "5"}, about="away")
    except ProblemError as error:
        status = error.problem.status
        forged = error.problem.type.endswith(":form-not-ours")
        about = "forged" if forged else _ABOUT.get(status, "refused")
        return page(visit, "notice", status, error.headers, about=about)


_ABOUT = {403: "forbidden", 404: "missing", 429: "busy"}


def to_login(request: web.Request) -> web.Response:
    """Ask to sign in, and remember where to go on."""
    if request.method != "GET" or request.path == "/console":
        return to("/console/login")
    return to(f"/console/login?next={quote(request.raw_path, safe='')}")
