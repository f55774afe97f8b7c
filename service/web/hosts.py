"""Answers only to its own names: DNS rebinding would let a stranger's page speak to us."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from service.web.problems import ProblemError

_HOST = re.compile(r"(\[[0-9a-f:.%]+\]|[^:\[\]/@\s]+)(:\d{1,5})?")
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """The names of one deployment; ports do not matter."""

    def __init__(self, *, public_url: str, bound: str, further: Iterable[str]) -> None:
        public = urlsplit(public_url).hostname or ""
        self._names = {_bare(name) for name in (*_LOCAL, public, bound, *further) if name}

    def check(self, host: str | None) -> None:
        """Raise a 421 for a Host header that is not ours."""
        shape = _HOST.fullmatch((host or "").lower())
        if shape is None or _bare(shape[1]) not in self._names:
            raise ProblemError(
                421,
                "This service has no such name.",
                fix="Use its address, or add the name to KENTONGAN_HOSTS.",
            )


def _bare(name: str) -> str:
    return name.lower().strip("[]").rstrip(".")
