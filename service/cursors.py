"""Cursors of lists that are not in the order of ids: opaque outside, a tuple of texts inside."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from service.web.problems import Fault, invalid


def cursor_of(*position: str) -> str:
    """Return the cursor that stands behind `position`."""
    told = json.dumps(position, ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(told.encode()).decode().rstrip("=")


def position_of(cursor: str) -> tuple[str, str]:
    """Read what `cursor_of` wrote of two texts; raise a 422 for anything else."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        first, second = json.loads(urlsafe_b64decode(padded).decode())
        if isinstance(first, str) and isinstance(second, str):
            (first + second).encode()  # lone surrogates
            if "\0" not in first + second:
                return first, second
    except (ValueError, TypeError, RecursionError):
        pass
    raise invalid(
        [
            Fault(
                where="query",
                at="cursor",
                problem="This is no cursor of ours.",
                fix="Take `next` of the page before as it is.",
            )
        ]
    )
