"""Renders the console's pages. Every value is escaped; styles and scripts come from files alone."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kentongan.clock import to_micros
from service.console import forgery
from service.console.static import url_of
from service.console.visit import Visit

_PAGES = Path(__file__).parent / "html"

#: Nothing is loaded but our own files, nothing inline runs, and forms come to us alone.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
#: Not in any text of ours, and in others' they would turn the reading direction of the page.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def page(
    visit: Visit,
    name: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **shown: object,
) -> web.Response:
    """Return a page: `html/<name>.html.j2`, in the visitor's language."""
    return web.Response(
        text=_rendered(visit, name, shown),
        status=status,
        content_type="text/html",
        headers={**_HEADERS, **(headers or {})},
    )


def _rendered(visit: Visit, name: str, shown: Mapping[str, object]) -> str:
    signed, here = visit.signed, visit.house
    bound_to = forgery.of_session(signed.session.id) if signed else None
    return (
        pages()
        .get_template(f"{name}.html.j2")
        .render(
            {"token": forgery.token_for(here.keyring, bound_to) if bound_to else "", **shown},
            _=visit.speech.say,
            n_=visit.speech.count,
            speech=visit.speech,
            word=visit.speech.word,
            user=signed.user if signed else None,
            organisation=here.deployment.organisation,
            version=version("kentongan"),
            now=to_micros(here.now()),
        )
    )


@cache
def pages() -> Environment:
    """Return the pages, which get their language when they are rendered."""
    made = Environment(
        loader=FileSystemLoader(_PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.globals["static"] = url_of
    return made


def _visible(value: object) -> object:
    """Return what a page shows of a value: also the characters that would turn the page around."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value  # what is rendered already came through here
    return _TURNING.sub(lambda found: f"\N{REPLACEMENT CHARACTER}{ord(found[0]):04X}", value)
