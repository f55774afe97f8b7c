"""aiohttp's server, but what cannot be read as HTTP is answered in our words as well.

Its own answer to that names the library and repeats what was sent, and its log would call a
stranger's garbage an error.
"""

import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from typing_extensions import override

from service.web.problems import ProblemError

log = logging.getLogger(__name__)

#: Octets of a request line: the longest address that may be searched for, each letter escaped.
LONGEST_LINE = 32 * 1024


class Runner(web.AppRunner):
    """Runs an application; `headers` go with the answers that no application sees."""

    __slots__ = ("_headers",)

    def __init__(self, app: web.Application, headers: Mapping[str, str], **options: Any) -> None:
        super().__init__(app, max_line_size=LONGEST_LINE, **options)
        self._headers = headers

    @override
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, self._headers)


class _Server(web.Server):
    def __init__(self, made: web.Server, headers: Mapping[str, str]) -> None:
        super().__init__(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,  # noqa: SLF001 - aiohttp has no other door to the kind of connection
        )
        self.headers = headers

    @override
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ("_headers",)

    def __init__(self, server: _Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._headers = server.headers

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused. Its own words repeat the input, and stay unsaid."""
        if status >= 500 or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        log.info("request cannot be read", extra={"cause": type(exc).__name__})
        answer = ProblemError(
            status,
            "This is no request that can be read in one way, or one of its lines is too long.",
            fix=f"Send HTTP/1.1, with a first line of at most {LONGEST_LINE} octets.",
            headers=self._headers,
        ).response()
        answer.force_close()
        return answer
