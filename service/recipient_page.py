"""`/r/<token>`: where a person reads the message, answers, and opts out. Looking changes nothing.

Mail scanners follow every link and send what they find, so an answer takes one POST with an option
in it that somebody chose; a link can at most choose it beforehand (`?option=`).
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from kentongan.alert import Mode
from kentongan.clock import seconds
from kentongan.ids import DeliveryId
from kentongan.response_link import delivery_of, token_of
from ledger import suppressions
from ledger.engine import Db, LedgerAwayError, read_now
from ledger.responses import Addressed, addressed, respond
from service.limits import FailureLimit
from service.pages import rendering
from service.pages.rendering import Looked
from service.web.forms import read_form
from service.wiring import House, house

log = logging.getLogger(__name__)

routes = web.RouteTableDef()

#: A page lives this many seconds longer than its alert.
LIFE_AFTER = 7 * 24 * 3600.0
#: Requests a minute to one page: a family on one link needs fewer, a loop would want more.
MOST_LOOKS, MOST_POSTS, WINDOW = 120, 20, 60.0

#: RFC 8058, section 3.1: what a mail program posts when its button is pressed.
_ONE_CLICK = ("List-Unsubscribe", "One-Click")

# Of this process, for all its pages; only counts, and bounded.
_looks = FailureLimit(most=MOST_LOOKS, window=WINDOW)
_posts = FailureLimit(most=MOST_POSTS, window=WINDOW)

_Page = Callable[[web.Request, House, DeliveryId], Awaitable[web.Response]]


def _for_its_person(
    limit: FailureLimit,
) -> Callable[[_Page], Callable[..., Awaitable[web.Response]]]:
    """Let only tokens of ours through, not too often, and say all failures on a page."""

    def around(page: _Page) -> Callable[..., Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            here = house(request)
            delivery_id = delivery_of(here.keyring, request.match_info["token"])
            if delivery_id is None:
                return _notice(here, "missing", 404)
            if wait := limit.wait(delivery_id, time.monotonic()):
                return _notice(here, "busy", 429, {"Retry-After": f"{wait + 1:.0f}"})
            limit.note(delivery_id, time.monotonic())
            try:
                return await page(request, here, delivery_id)
            except LedgerAwayError as error:
                log.warning("ledger is away", extra={"route": "/r", "cause": str(error)})
                return _notice(here, "away", 503, {"Retry-After": "5"})

        return answer

    return around


@routes.get("/r/{token}")
@_for_its_person(_looks)
async def read(request: web.Request, here: House, delivery_id: DeliveryId) -> web.Response:
    """Show the message, what was answered, and what can be answered."""
    async with here.ledger.read() as db:
        it, now = await _open(db, delivery_id)
        if it is None:
            return _notice(here, "over", 410)
        is_stopped = await _is_stopped(db, it)
    looked = Looked(
        token=request.match_info["token"],
        now=now,
        is_stopped=is_stopped,
        preselected=request.query.get("option", ""),
    )
    return _html(rendering.message_page(it, looked, here.deployment))


@routes.post("/r/{token}")
@_for_its_person(_posts)
async def answer(request: web.Request, here: House, delivery_id: DeliveryId) -> web.Response:
    """Keep the chosen answer; or stop messages, where a mail program's button was pressed."""
    form = await read_form(request)
    if _is_one_click(form):
        return await _stop(here, delivery_id, reason="one_click", back=None)
    token = request.match_info["token"]
    async with here.ledger.write() as db:
        it, now = await _open(db, delivery_id)
        if it is None:
            return _notice(here, "over", 410)
        option = rendering.option_of_form(form.get("option", ""), it.alert.options)
        if option is not None:
            await respond(db, delivery_id, option, "page", now)
    if option is None:
        looked = Looked(token=token, now=now, error=True)
        return _html(rendering.message_page(it, looked, here.deployment), 422)
    here.metrics.inbound.labels("page", "response").inc()
    return _back_to(token)


@routes.get("/r/{token}/unsubscribe")
@_for_its_person(_looks)
async def ask(request: web.Request, here: House, delivery_id: DeliveryId) -> web.Response:
    """Ask whether messages to this address shall really stop."""
    async with here.ledger.read() as db:
        it, _ = await _open(db, delivery_id)
    if it is None:
        return _notice(here, "over", 410)
    page = rendering.unsubscribe_page(it, request.match_info["token"], here.deployment)
    return _html(page)


@routes.post("/r/{token}/unsubscribe")
@_for_its_person(_posts)
async def unsubscribe(request: web.Request, here: House, delivery_id: DeliveryId) -> web.Response:
    """Stop messages to this address, if that was confirmed."""
    form = await read_form(request)
    if _is_one_click(form):
        return await _stop(here, delivery_id, reason="one_click", back=None)
    back = f"../{request.match_info['token']}"
    if form.get("confirm") != "yes":
        return _back_to(back)
    return await _stop(here, delivery_id, reason="opted_out_on_page", back=back)


async def _stop(
    here: House, delivery_id: DeliveryId, *, reason: str, back: str | None
) -> web.Response:
    """Suppress the address; a mail program is answered with a page, a person led back (`back`)."""
    async with here.ledger.write() as db:
        it, now = await _open(db, delivery_id)
        if it is None:
            return _notice(here, "over", 410)
        is_test = it.alert.mode is Mode.TEST  # reaches nobody, and so cannot lose anybody
        if not is_test:
            await suppressions.suppress(
                db, it.channel, it.address, reason=reason, made_by="recipient", now=now
            )
    if is_test:
        return _html(rendering.stop_test_page(it, here.deployment))
    here.metrics.inbound.labels("page", "stop").inc()
    if back is not None:
        return _back_to(back)
    looked = Looked(token=token_of(here.keyring, delivery_id), now=now, is_stopped=True)
    return _html(rendering.message_page(it, looked, here.deployment))


async def _open(db: Db, delivery_id: DeliveryId) -> tuple[Addressed | None, int]:
    """Return the delivery while its page lives, and the ledger's time."""
    now = await read_now(db)
    it = await addressed(db, delivery_id)
    is_over = it is None or now > it.alert.expires_at + seconds(LIFE_AFTER)
    return (None if is_over else it), now


async def _is_stopped(db: Db, it: Addressed) -> bool:
    return await suppressions.in_force(db, it.channel, it.address) is not None


def _is_one_click(form: Mapping[str, str]) -> bool:
    name, value = _ONE_CLICK
    return form.get(name) == value


def _html(page: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        text=page,
        status=status,
        content_type="text/html",
        headers={
            "Content-Security-Policy": rendering.POLICY,
            "X-Robots-Tag": "noindex",
            **(headers or {}),
        },
    )


def _notice(
    here: House, name: str, status: int, headers: Mapping[str, str] | None = None
) -> web.Response:
    return _html(rendering.notice_page(name, here.deployment), status, headers)


def _back_to(where: str) -> web.Response:
    """Send the browser to the page itself, so that reloading sends nothing again."""
    # Relative: what stands before /r/ is a proxy's business.
    return web.Response(status=303, headers={"Location": where})
