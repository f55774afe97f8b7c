"""Jobs on the wire: JSON. arq's own pickle runs code for whoever can write to Redis."""

import json
from typing import Any

#: Milliseconds since 1970, in the year 5138; arq makes a date of it.
_LATEST = 100_000_000_000_000


def pack(job: dict[str, Any]) -> bytes:
    # arq keeps an exception of a failed job in its result; we keep no results, but it packs first.
    return json.dumps(job, default=str, separators=(",", ":")).encode()


def unpack(job: bytes) -> dict[str, Any]:
    """Read a job. Raises for whatever arq could not run: it would stay, and end each worker."""
    read = json.loads(job)
    if not isinstance(read, dict) or not _is_job(read):
        raise TypeError("no job of ours")
    return read


def _is_job(read: dict[str, Any]) -> bool:
    tries, since = read.get("t"), read.get("et")
    return (
        isinstance(read.get("f"), str)
        and isinstance(read.get("a"), list)
        and isinstance(read.get("k"), dict)
        and (tries is None or isinstance(tries, int))
        and isinstance(since, int)
        and 0 <= since < _LATEST
    )
