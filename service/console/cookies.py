"""The two cookies of the console: of a session, and of a browser that is about to sign in."""

import re
import secrets

from aiohttp import web

from ledger.sessions import LIFE
from service.wiring import House

PATH = "/console"
SESSION = "kentongan_session"
#: Ties the sign-in form to the browser that it was shown to: nobody signs another one in.
VISITOR = "kentongan_visitor"
VISITOR_LIFE = 3600

_VISITOR_SHAPE = re.compile(r"[0-9A-Za-z_-]{22}", re.ASCII)


def visitor_of(request: web.Request) -> str | None:
    """Return what the visitor's cookie holds; None where there is none of ours."""
    held = request.cookies.get(VISITOR, "")
    return held if _VISITOR_SHAPE.fullmatch(held) else None


def new_visitor() -> str:
    """Return 128 fresh random bits."""
    return secrets.token_urlsafe(16)


def set_session(answer: web.Response, house: House, token: str) -> None:
    """Give the browser a session's token; the visitor's cookie has served."""
    _set(answer, house, SESSION, token, LIFE)
    forget(answer, VISITOR)


def set_visitor(answer: web.Response, house: House, visitor: str) -> None:
    _set(answer, house, VISITOR, visitor, VISITOR_LIFE)


def forget(answer: web.Response, name: str) -> None:
    answer.del_cookie(name, path=PATH)


def _set(answer: web.Response, house: House, name: str, value: str, life: int) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=life,
        path=PATH,
        httponly=True,
        samesite="Lax",
        secure=house.settings.public_url.startswith("https://"),
    )
