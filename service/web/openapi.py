"""Declares operations: what each reads, may answer, and asks of its caller."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar, get_type_hints

from aiohttp import web
from pydantic import BaseModel

from kentongan.access import Act

PARTS = ("path", "query", "headers", "body")

Handler = Callable[..., Awaitable[Any]]
HandlerT = TypeVar("HandlerT", bound=Handler)


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is no JSON model: a file, lines, a page."""

    content_type: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status or headers of its own; without `body`, an empty one."""

    body: BaseModel | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        """Return it as it goes over the wire."""
        if self.body is None:
            return web.Response(status=self.status, headers=self.headers)
        return web.Response(
            status=self.status,
            body=self.body.model_dump_json(by_alias=True).encode(),
            content_type="application/json",
            headers=self.headers,
        )


Gives = type[BaseModel] | Stream | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation of the API."""

    method: str
    path: str
    handler: Handler
    may: Act | None  # None: open to everyone
    tag: str
    status: int
    gives: Mapping[int, Gives]
    takes: Stream | None  # a body that the handler reads itself
    errors: Sequence[int]
    in_turn: bool  # systems take turns here, and come later under pressure
    parts: Mapping[str, type[BaseModel]]

    @property
    def name(self) -> str:
        """The operationId."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or self.name).partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of it."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    @property
    def all_errors(self) -> list[int]:
        """Every problem it may answer, those of the frame included."""
        own = {*self.errors, 400, 408, 421, 500, 503}
        if self.may is not None:
            own |= {401, 403, 429}
        if "path" in self.parts:
            own.add(404)
        if set(self.parts) - {"path"}:
            own.add(422)
        if "body" in self.parts or self.takes:
            own |= {413}
        # The frame refuses every content encoding, with or without a body.
        return sorted(own | {415})


class Api:
    """The operations of one module. `tag` is their heading in /docs."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.ops: list[Op] = []

    def op(
        self,
        method: str,
        path: str,
        *,
        may: Act | None,
        status: int = 200,
        gives: Mapping[int, Gives] | None = None,
        takes: Stream | None = None,
        errors: Sequence[int] = (),
        in_turn: bool = False,
    ) -> Callable[[HandlerT], HandlerT]:
        """Declare the decorated handler; raise `TypeError` where its signature does not fit.

        `gives` names the answers where the return annotation does not say them all.
        """

        def declare(handler: HandlerT) -> HandlerT:
            hints = get_type_hints(handler)
            answers = gives or {status: _model(hints.get("return"), handler)}
            self.ops.append(
                Op(
                    method=method,
                    path=path,
                    handler=handler,
                    may=may,
                    tag=self.tag,
                    status=status,
                    gives=answers,
                    takes=takes,
                    errors=errors,
                    in_turn=in_turn,
                    parts=_parts(path, hints, handler),
                )
            )
            return handler

        return declare


def _model(annotation: Any, handler: Handler) -> type[BaseModel] | None:
    if annotation in (None, type(None)):
        return None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    raise TypeError(f"{handler.__qualname__} must say what it gives={{status: model}}")


def _parts(path: str, hints: Mapping[str, Any], handler: Handler) -> dict[str, type[BaseModel]]:
    parts = {name: hints[name] for name in PARTS if name in hints}
    named = set(re.findall(r"{(\w+)", path))
    fields = set(parts["path"].model_fields) if "path" in parts else set()
    if named != fields:
        raise TypeError(f"{handler.__qualname__}: {path} and its path model differ")
    return parts


def phrase(status: int) -> str:
    """Return what a status is called."""
    return HTTPStatus(status).phrase
