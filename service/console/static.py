"""The console's own files, each under an address that names its content: kept for a year."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

_HERE = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".svg": "image/svg+xml"}
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    body: bytes
    content_type: str
    hash: str


def _read(path: Path) -> File:
    body = path.read_bytes()
    return File(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])


#: By name; read once, at the start.
FILES: Mapping[str, File] = MappingProxyType(
    {path.name: _read(path) for path in sorted(_HERE.iterdir())}
)


def url_of(name: str) -> str:
    """Return where a file is found as long as it stays as it is."""
    return f"/console/static/{FILES[name].hash}/{name}"


async def serve(request: web.Request) -> web.Response:
    """Answer with a file; one that was changed since is 404, never another content."""
    file = FILES.get(request.match_info["name"])
    if file is None or file.hash != request.match_info["hash"]:
        raise web.HTTPNotFound
    return web.Response(
        body=file.body,
        content_type=file.content_type,
        charset="utf-8",
        headers={"Cache-Control": f"public, max-age={_YEAR}, immutable"},
    )
