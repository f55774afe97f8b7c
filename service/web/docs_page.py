"""`/openapi.json`, and `/docs`: the same for people, without script and without the internet."""

import base64
import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader

from service.web.spec import Json

_HERE = Path(__file__).parent
_STYLE = (_HERE / "docs.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"


def add_to(app: web.Application, spec: Json) -> None:
    """Serve both; they are made once, at the start."""
    document = json.dumps(spec, ensure_ascii=False, indent=1).encode()
    page = render(spec).encode()
    app.router.add_get("/openapi.json", partial(_document, document))
    app.router.add_get("/docs", partial(_page, page))


async def _document(body: bytes, _request: web.Request) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def _page(body: bytes, _request: web.Request) -> web.Response:
    return web.Response(
        body=body,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": _POLICY},
    )


def render(spec: Json) -> str:
    """Return the reference of `spec` as one page."""
    pages = Environment(loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True)
    return pages.get_template("docs.html.j2").render(
        spec=spec, style=_STYLE, sections=_sections(spec), kind=_kind
    )


def _sections(spec: Json) -> dict[str, list[Json]]:
    """Return the operations by heading, with path and method beside them."""
    sections: dict[str, list[Json]] = {tag["name"]: [] for tag in spec["tags"]}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            told = {"path": path, "method": method.upper(), **operation}
            sections[operation["tags"][0]].append(told)
    return sections


def _kind(schema: dict[str, Any]) -> str:
    """Say in a few words what a schema takes; models by name."""
    match schema:
        case {"$ref": ref}:
            return str(ref).rpartition("/")[2]
        case {"enum": values}:
            said = " | ".join(str(value) for value in values)
        case {"anyOf": choices} | {"oneOf": choices}:
            said = " or ".join(_kind(choice) for choice in choices)
        case {"type": "array"}:
            said = f"list of {_kind(schema.get('items', {}))}"
        case {"additionalProperties": dict(inner)}:
            said = f"object of {_kind(inner)}"
        case _:
            said = str(schema.get("const", schema.get("type", "anything")))
    return " ".join([said, *_bounds(schema)])


_BOUNDS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "of at least {} characters",
    "maxLength": "of at most {} characters",
    "minItems": "of at least {}",
    "maxItems": "of at most {}",
    "format": "({})",
}


def _bounds(schema: dict[str, Any]) -> list[str]:
    return [say.format(schema[name]) for name, say in _BOUNDS.items() if name in schema]
