"""A child process: started from the main thread, logged to a file, never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.orphans import User, bound

_LOGS_KEPT = 3


class CannotStartError(Exception):
    """A child cannot be started; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and how to tell that it serves."""

    name: str
    argv: Sequence[str | Path]
    environ: Mapping[str, str] = field(repr=False)  # has secrets
    log: Path
    #: Asked again and again while the child lives; must answer within a second or two.
    is_ready: Callable[[], bool] = lambda: True
    #: What the kernel sends when the parent is gone. Nothing is lost by a kill -9 of ours (the
    #: ledger knows what was begun), and nothing that hangs can survive it or keep its port.
    orphaned_by: signal.Signals = signal.SIGKILL
    #: File descriptors to pass on.
    fds: tuple[int, ...] = ()
    #: Whom to run it as, if not as ourselves.
    user: User | None = None


class Process:
    """One program, started any number of times."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.name = program.name
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None when nothing runs."""
        return self._popen.pid if self._popen and self.is_alive() else None

    def start(self) -> None:
        """Run it. Its session is its own, so that Ctrl-C reaches only us and we keep the order."""
        program = self.program
        program.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603 - the arguments are our own
                bound(program.argv, program.orphaned_by, program.user),
                env=program.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=program.fds,
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        """Tell whether it runs; when it has just ended, what it started is ended too."""
        if self._popen is None or self._popen.returncode is not None:
            return False
        if self._popen.poll() is None:
            return True
        self._signal_group(signal.SIGKILL)
        return False

    def is_ready(self) -> bool:
        """Tell whether it serves."""
        return self.is_alive() and self.program.is_ready()

    def ask_to_stop(self) -> None:
        """Send SIGTERM, once."""
        if self.is_alive() and self._popen:
            self._popen.terminate()

    def kill(self) -> None:
        """End it and what it started, at once."""
        if self._popen and self.is_alive():
            self._signal_group(signal.SIGKILL)
            self._popen.wait()

    def how_it_ended(self) -> str:
        """Say it as a person would: `killed by SIGKILL`, `exit code 2`."""
        code = self._popen.returncode if self._popen else None
        if code is None:
            return "it is running" if self._popen else "it was never started"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def exit_code(self) -> int | None:
        """The last exit code, negative for a signal; None while it runs."""
        return self._popen.returncode if self._popen else None

    def _signal_group(self, by: signal.Signals) -> None:
        assert self._popen is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, by)


def ours(*command: str) -> list[str]:
    """Return the arguments that run one of our own commands with this very Python."""
    # -P: a folder called "cli" where the person happens to stand is none of ours.
    return [sys.executable, "-P", "-m", "cli", *command]


def rotate(log: Path) -> None:
    """Put the log of the last run aside; the last three are kept."""
    for age in range(_LOGS_KEPT, 0, -1):
        older = log.with_name(f"{log.name}.{age - 1}") if age > 1 else log
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{age}"))
