"""No child outlives its parent: the kernel ends it, however the parent went.

A child is started through this file, run as a script: it binds itself to its parent and then
becomes the program. (A `preexec_fn` would do without the 20 ms, but must not be used in a process
that has threads, and Python 3.12 warns of it.)
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CANNOT_RUN = 127  # as shells say it


@dataclass(frozen=True, slots=True)
class User:
    """Whom to run a program as; only root can choose."""

    uid: int
    gid: int


def bound(
    argv: Sequence[str | Path], by: signal.Signals, user: User | None = None
) -> list[str | Path]:
    """Return the arguments that run `argv`, ended with signal `by` when this process ends.

    The kernel sends it when the *thread* that started the child ends: start children from the main
    thread. Linux only; elsewhere an orphan stays, and is adopted or found by its port.
    """
    if sys.platform != "linux":
        return list(argv)
    who = f"{user.uid}:{user.gid}" if user else ""
    script = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(by)), who]
    return [*script, *argv]


def _become(parent: int, by: int, who: str, argv: list[str]) -> None:
    if who:
        uid, gid = map(int, who.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which clears it; before the look at the parent, which may have
    # ended meanwhile.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:
        sys.exit(_CANNOT_RUN)
    try:
        os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
