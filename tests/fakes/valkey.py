"""A Valkey of the tests' own, run as `kentongan up` runs it: real, private, gone with the tests."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.valkey import Valkey, ask


class PrivateValkey:
    """One server; its URL stays the same over stops, kills and starts."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kentongan-vk-"))
        self._valkey = Valkey(self._folder, {})

    @classmethod
    def running(cls) -> Self:
        """Return a server that answers."""
        made = cls()
        made.start()
        return made

    @property
    def url(self) -> str:
        """How redis clients call it: `unix://…`."""
        return self._valkey.url

    @property
    def pid(self) -> int | None:
        """Its process id; None when it is stopped."""
        return self._valkey.pid

    def start(self) -> None:
        """Start it and wait until it answers; nothing if it runs."""
        if not self._valkey.is_alive():
            self._valkey.start()
            self._valkey.wait_until_ready()

    def stop(self) -> None:
        """Stop it in order; what it holds is kept."""
        self._valkey.ask_to_stop()
        self._valkey.wait_until_gone()

    def kill(self) -> None:
        """End it with SIGKILL; what it has answered is kept."""
        self._valkey.kill()

    def flush(self) -> None:
        """FLUSHALL: what an operator's mistake does."""
        assert self.ask("FLUSHALL").startswith("+OK")

    def ask(self, command: str) -> str:
        """Return the answer to one inline command."""
        return ask(self._valkey.socket, command)

    def close(self) -> None:
        """End it and remove its data."""
        self._valkey.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
