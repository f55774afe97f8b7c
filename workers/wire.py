"""Jobs on the wire: JSON. arq's own pickle runs code for whoever can write to Redis."""

import json
from typing import Any


def pack(job: dict[str, Any]) -> bytes:
    # arq keeps an exception of a failed job in its result; we keep no results, but it packs first.
    return json.dumps(job, default=str, separators=(",", ":")).encode()


def unpack(job: bytes) -> dict[str, Any]:
    read = json.loads(job)
    if not isinstance(read, dict):
        raise TypeError("a job is an object")
    return read
