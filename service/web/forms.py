"""Reads what a browser's form, or a mail program's button, sends."""

import re
from collections.abc import Mapping
from email.message import Message
from urllib.parse import parse_qsl

from aiohttp import web

from service.web.problems import ProblemError
from service.web.reading import read_body

_LARGEST = 16 * 1024
_FIELD_NAME = re.compile(rb'(?i)[; ]name="([^"\r\n]{0,100})"')


async def read_form(request: web.Request) -> Mapping[str, str]:
    """Read a small form of either kind; what cannot be read says nothing."""
    raw = await read_body(request)
    if len(raw) > _LARGEST:
        raise ProblemError(413, "The form is too large.", headers={"Connection": "close"})
    if request.content_type == "multipart/form-data":
        return _multipart(request.headers["Content-Type"], raw)
    try:
        return dict(parse_qsl(raw.decode(), errors="strict", max_num_fields=20))
    except ValueError:
        return {}


def _multipart(content_type: str, raw: bytes) -> Mapping[str, str]:
    """Read the kind that RFC 8058 prefers: short texts, each under its name."""
    described = Message()
    described["Content-Type"] = content_type
    boundary = (described.get_boundary() or "").encode("utf-8", "replace")
    found: dict[str, str] = {}
    for part in raw.split(b"--" + boundary) if boundary else ():
        head, _, value = part.partition(b"\r\n\r\n")
        if name := _FIELD_NAME.search(head):
            found[name[1].decode("utf-8", "replace")] = value.decode("utf-8", "replace").strip()
    return found
