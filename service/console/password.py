"""Choosing a new password: at once where the present one was made by somebody else."""

from aiohttp import web

from kentongan.passwords import Problem, problem_with
from ledger import audit, sessions, users
from service.console.login import HOME, anew
from service.console.rendering import page
from service.console.visit import Visit
from service.web.forms import read_form


async def show(visit: Visit) -> web.Response:
    """Show the form."""
    return _form(visit)


async def change(visit: Visit) -> web.Response:
    """Take the new password, and end all sessions but a fresh one."""
    form, user = await read_form(visit.request), visit.by.user
    present, chosen = form.get("present", ""), form.get("chosen", "")
    if problem := problem_with(chosen, user.login):
        return _form(visit, problem=problem)
    if chosen == present:
        return _form(visit, same=True)
    async with visit.ledger.read() as db:
        held = await users.find(db, user.id)
    remote = visit.request.remote or ""
    if not await visit.house.door.opens(held, present, user.login, remote):
        return _form(visit, wrong=True)
    kept = await visit.house.door.hashed(chosen)
    async with visit.ledger.write() as db:
        await users.set_password(db, user.id, kept)
        await audit.add(db, actor=user.id, action="user.password", subject=user.id)
        await sessions.revoke_all(db, user.id)
        return await anew(visit, db, user.id, HOME)


def _form(
    visit: Visit, *, problem: Problem | None = None, wrong: bool = False, same: bool = False
) -> web.Response:
    status = 422 if problem or wrong or same else 200
    return page(visit, "password", status, problem=problem, wrong=wrong, same=same)
