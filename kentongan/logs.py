"""Logs as JSON lines: an event, ids, and never an address, a text or a secret.

Whoever logs keeps to that; the redaction below is the second line, for what a library or a bug
puts into a message all the same.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

from typing_extensions import override

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST = 500

#: What must not be read in a log, and what stands there instead.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"ktg_([0-9A-Za-z]{8})_[0-9A-Za-z_-]{20,}", r"ktg_\1_…"),
        (r"whsec_[0-9A-Za-z+/=_-]{8,}", "whsec_…"),
        (r"(?i)\b(bearer|basic)\s+[0-9a-z._~+/=-]{8,}", r"\1 …"),
        (r"(://[^\s/:@]{0,64}:)[^\s/@]{1,256}@", r"\1…@"),
        (
            r"(?i)\b(password|passwd|secret|token|api_?key|auth_?token)(['\"]?\s*[=:]\s*)\S{1,256}",
            r"\1\2…",
        ),
        (r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@([\w-]{1,63}\.)+\w{2,24}", "…@…"),
        (r"\+\d{6,14}(\d\d)\b", r"+…\1"),
        (r"/r/[\w.~-]{16,}", "/r/…"),
    )
)


def redacted(text: str) -> str:
    """Return `text` without what looks like a secret or somebody's address; bounded."""
    # Cut first: patterns then run over little, however long a hostile text is.
    text = text[: 4 * _LONGEST]
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, event, process, then the ids given in `extra`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redacted(record.getMessage()),
            "process": self._process,
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = (
                    value if isinstance(value, bool | int | float) else redacted(str(value))
                )
        if record.exc_info and record.exc_info[1]:
            line["error"] = told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True, allow_nan=False, default=str)


def told(error: BaseException) -> list[str]:
    """Return a traceback's places, and of each error its type and first line.

    The lines behind the first are where database drivers print rows, and with them people.
    """
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(lines) < 100:
        first = (str(seen).splitlines() or [""])[0]
        lines.append(redacted(f"{type(seen).__module__}.{type(seen).__qualname__}: {first}"))
        places = traceback.extract_tb(seen.__traceback__)[-20:]
        lines += [f"  {place.filename}:{place.lineno} in {place.name}" for place in places]
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return lines


def begin_logging(process: str, level: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(process))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # Libraries speak of requests and numbers in their chatter.
    for name in ("arq", "asyncio", "aiohttp", "aiosqlite", "sqlalchemy", "twilio", "mail.log"):
        logging.getLogger(name).setLevel(logging.WARNING)
