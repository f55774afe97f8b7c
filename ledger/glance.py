"""A look into SQLite that is over before anything else could have been done (docs/adr/0016)."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Glance:
    """A connection of its own, read only, asked on the thread of whoever asks. Opens at first use.

    In WAL a reader waits for no writer, and what is asked by key lies in memory: it takes less time
    than crossing to another thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cursor: sqlite3.Cursor | None = None

    def ask(self, sql: str, *args: Any) -> Sequence[Any] | None:
        """Return the rows of one short query; None where it cannot be answered at once."""
        try:
            if self._cursor is None:
                self._cursor = _opened(self._path).cursor()
            return self._cursor.execute(sql, args).fetchall()
        except sqlite3.Error:
            self.close()
            return None

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


def _opened(path: Path) -> sqlite3.Connection:
    # Read only, it never tidies the log up when it is the last to leave.
    address = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=0, isolation_level=None)
