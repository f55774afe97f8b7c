"""Signing in and out. A stranger learns nothing here, not even which logins there are."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web

from kentongan import totp
from kentongan.clock import SECOND
from kentongan.ids import UserId
from ledger import audit, sessions, users
from ledger.engine import Db, read_now
from ledger.users import Held, login_of
from service.console import cookies, forgery
from service.console.rendering import page
from service.console.visit import Visit
from service.web.forms import read_form
from service.web.problems import ProblemError

HOME = "/console"
_PASSED = "console-passed"
#: Seconds between the password and the code.
_PASSED_LIFE = 300


async def show(visit: Visit) -> web.Response:
    """Show the form, to this browser alone."""
    return _form(visit, _next(visit.request.query))


async def sign_in(visit: Visit) -> web.Response:
    """Let somebody in whose password is right, or ask for their code."""
    form = await _own_form(visit)
    given = form.get("login", "")
    login, remote = login_of(given) or "", visit.request.remote or ""
    visit.house.door.check(login, remote)
    async with visit.ledger.read() as db:
        held = await users.find_by_login(db, given)
    if not await visit.house.door.opens(held, form.get("password", ""), login, remote):
        await _note_failure(visit, held, "password")
        return _form(visit, _next(form), wrong=True)
    assert held is not None
    if held.user.has_totp:
        return _code_form(visit, _pass_for(visit, held.user.id), _next(form))
    async with visit.ledger.write() as db:
        return await _begun(visit, db, held.user.id, _next(form))


async def prove(visit: Visit) -> web.Response:
    """Let somebody in whose password was right a moment ago, and whose code is."""
    form = await _own_form(visit)
    user_id, remote = _passed(visit, form.get("passed", "")), visit.request.remote or ""
    if user_id is None:
        return _form(visit, _next(form), late=True)
    async with visit.ledger.write() as db:
        held = await users.find(db, user_id)
        assert held is not None  # users are never deleted
        visit.house.door.check(held.user.login, remote)
        if await _is_code(db, held, form.get("code", "")):
            return await _begun(visit, db, held.user.id, _next(form))
        visit.house.door.note(held.user.login, remote)
        await _add(db, held.user.id, "session.fail", held.user.id, {"at": "code"})
    return _code_form(visit, form["passed"], _next(form), wrong=True)


async def sign_out(visit: Visit) -> web.Response:
    """End the session, whatever becomes of the cookie."""
    async with visit.ledger.write() as db:
        if await sessions.revoke(db, visit.by.session.id):
            await _add(db, visit.caller, "session.end", visit.by.session.id)
    answer = to("/console/login")
    cookies.forget(answer, cookies.SESSION)
    return answer


def to(where: str) -> web.Response:
    """Send the browser on, so that reloading sends nothing again."""
    return web.Response(status=303, headers={"Location": where})


async def anew(visit: Visit, db: Db, user_id: UserId, where: str) -> web.Response:
    """Begin a session under a fresh token, whatever token the browser brought (fixation)."""
    token, agent = sessions.new_token(), visit.request.headers.get("User-Agent", "")
    if old := await sessions.find(db, visit.request.cookies.get(cookies.SESSION, "")):
        await sessions.revoke(db, old[0].id)
    session = await sessions.begin(db, user_id, token, agent, await read_now(db))
    await _add(db, user_id, "session.begin", session.id)
    answer = to(where)
    cookies.set_session(answer, visit.house, token)
    return answer


async def _begun(visit: Visit, db: Db, user_id: UserId, where: str) -> web.Response:
    held = await users.find(db, user_id)
    if held is None or held.user.disabled_at is not None:
        raise ProblemError(403)
    return await anew(visit, db, user_id, where)


async def _own_form(visit: Visit) -> Mapping[str, str]:
    form = await read_form(visit.request)
    bound_to = forgery.of_visitor(cookies.visitor_of(visit.request))
    forgery.check(visit.request, visit.house, form, bound_to)
    return form


async def _is_code(db: Db, held: Held, code: str) -> bool:
    """Tell whether it is the code of now, and use it up."""
    if held.totp_secret is None:
        return False
    now_s = await read_now(db) / SECOND
    counter = totp.counter_of(held.totp_secret, code, now_s, held.totp_counter)
    return counter is not None and await users.note_totp(db, held.user.id, counter)


async def _note_failure(visit: Visit, held: Held | None, at: str) -> None:
    """Note it alike for logins that nobody has: what was typed may have been a password."""
    who = held.user.id if held else "nobody"
    async with visit.ledger.write() as db:
        await _add(db, who, "session.fail", who, {"at": at})


async def _add(
    db: Db, actor: str, action: str, subject: str, detail: Mapping[str, str] | None = None
) -> None:
    await audit.add(db, actor=actor, action=action, subject=subject, detail=detail)


def _form(visit: Visit, where: str, *, wrong: bool = False, late: bool = False) -> web.Response:
    visitor = cookies.visitor_of(visit.request) or cookies.new_visitor()
    token = forgery.token_for(visit.house.keyring, forgery.of_visitor(visitor))
    status = 422 if wrong or late else 200
    answer = page(visit, "login", status, token=token, where=where, wrong=wrong, late=late)
    cookies.set_visitor(answer, visit.house, visitor)
    return answer


def _code_form(visit: Visit, passed: str, where: str, *, wrong: bool = False) -> web.Response:
    bound_to = forgery.of_visitor(cookies.visitor_of(visit.request))
    token = forgery.token_for(visit.house.keyring, bound_to)
    status = 422 if wrong else 200
    return page(visit, "code", status, token=token, passed=passed, where=where, wrong=wrong)


def _pass_for(visit: Visit, user_id: UserId) -> str:
    """Return what says, to this browser and for five minutes, that the password was right."""
    told = f"{user_id}.{int(visit.house.now().timestamp()) + _PASSED_LIFE}"
    visitor = cookies.visitor_of(visit.request)
    return f"{told}.{visit.house.keyring.mac(_PASSED, f'{told}.{visitor}')}"


def _passed(visit: Visit, given: str) -> str | None:
    told, _, mac = given.rpartition(".")
    visitor = cookies.visitor_of(visit.request)
    if not visit.house.keyring.is_genuine(_PASSED, f"{told}.{visitor}", mac):
        return None
    user_id, _, until = told.partition(".")
    return user_id if visit.house.now().timestamp() < int(until) else None


def _next(given: Mapping[str, str]) -> str:
    """Return where to go on: only ever a path of the console."""
    asked = given.get("next", "")
    parts = urlsplit(asked) if asked.isascii() and asked.isprintable() else None
    if parts is None or parts.scheme or parts.netloc or "\\" in asked or ".." in asked:
        return HOME
    is_ours = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    return asked if is_ours and not parts.path.startswith("/console/log") else HOME
