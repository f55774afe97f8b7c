"""Makes sure that a form was ours, and that the person in front of the browser sent it.

Three things are asked of every POST: that the browser, as far as it says, sends it from our own
pages; and a MAC in the form over what the cookie holds, which no other site can read or set.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web

from kentongan.keyring import Keyring
from service.web.problems import ProblemError
from service.wiring import House

FIELD = "token"
_PURPOSE = "console-form"


def token_for(keyring: Keyring, bound_to: str) -> str:
    """Return what a form carries that is shown to `bound_to`, a session's or a visitor's name."""
    return keyring.mac(_PURPOSE, bound_to)


def check(request: web.Request, house: House, form: Mapping[str, str], bound_to: str) -> None:
    """Raise a 403 unless the form is one that we showed to `bound_to`."""
    if not _is_from_us(request, house):
        raise _forged()
    if not house.keyring.is_genuine(_PURPOSE, bound_to, form.get(FIELD, "")):
        raise _forged()


def of_session(session_id: str) -> str:
    """Return what the forms of a session are bound to."""
    return f"session:{session_id}"


def of_visitor(visitor: str | None) -> str:
    """Return what the sign-in form is bound to; raise a 403 where the cookie did not come back."""
    if visitor is None:
        raise _forged()
    return f"visitor:{visitor}"


def _is_from_us(request: web.Request, house: House) -> bool:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    # Behind a proxy the scheme that we see is not the one that the browser sees.
    ours = {request.headers.get("Host"), urlsplit(house.settings.public_url).netloc}
    return urlsplit(origin).netloc in ours - {"", None}


def _forged() -> ProblemError:
    return ProblemError(403, "The form was not ours.", kind="form-not-ours")
