"""What callers have in hand: an address, a key, and patience."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]


class NoAnswerError(Exception):
    """The connection was refused, cut, or nobody answered in time."""


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks JSON; each request has a connection of its own."""

    url: str
    key: str = ""
    timeout: float = 10.0

    def get(self, path: str) -> Any:
        """Return the body of a 200."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Return the answer; raise `NoAnswerError`. `Idempotency_Key=…` becomes a header.

        A body that is text is CSV, any other goes as JSON.
        """
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key:
            told["Authorization"] = f"Bearer {self.key}"
        content = None
        if body is not None:
            is_csv = isinstance(body, str)
            content = (body if is_csv else json.dumps(body)).encode()
            told["Content-Type"] = "text/csv" if is_csv else "application/json"
        line = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self.timeout)
        try:
            line.request(method, path, content, told)
            answer = line.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(repr(error)) from error
        finally:
            line.close()
        return Answer(answer.status, json.loads(text) if text else None, dict(answer.headers))
